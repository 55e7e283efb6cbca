-- SPDX-License-Identifier: Apache-2.0
-- What is refused where it is submitted or prepared, before anything of it is sent.
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"
local str = require("spec.support.peer").str

describe("a request that is refused", function()
  local world

  local function connected(options)
    world = session_world.connected(options)
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("for its form", function()
    connected()
    assert.equal(C.MP_EINVAL, world:submit("").rc)
    local request = C.mp_request_take(world.session)
    request.cql = str "SELECT v FROM t"
    assert.equal(C.MP_EINVAL, C.mp_request_submit(request)) -- nobody to tell
    C.mp_request_give(request)
    world:close()
    world = session_world.open()
    assert.equal(C.MP_ECLOSED, world:submit("SELECT v FROM t").rc) -- not connected
  end)

  it("because it does not fit the fields of the protocol", function()
    connected()
    local function submit(change)
      local request = C.mp_request_take(world.session)
      request.cql, request.on_done = str "SELECT v FROM t", world.on_done
      change(request)
      local rc = C.mp_request_submit(request)
      C.mp_request_give(request)
      return rc
    end
    local huge = 2 ^ 29 -- more than is there: nobody looks at what is too long
    assert.equal(C.MP_EINVAL, submit(function(request) request.value_count = 65536 end))
    assert.equal(C.MP_EINVAL, submit(function(request) request.options.page_size = -1 end))
    assert.equal(C.MP_EINVAL, submit(function(request) request.keyspace = str(("k"):rep(65536)) end))
    assert.equal(C.MP_ETOOBIG, submit(function(request) request.cql.len = huge end))
    assert.equal(C.MP_ETOOBIG, submit(function(request) request.paging_state = { data = request.cql.data,
      len = huge } end))
    assert.equal(C.MP_ETOOBIG, submit(function(request)
      request.values.len = huge
    end))
    local anchor = ("k"):rep(65536)
    assert.equal(C.MP_EINVAL, world:begin_prepare("SELECT v FROM t", { keyspace = anchor }).rc)
    assert.equal(C.MP_EINVAL, world:begin_prepare("").rc)
    local long, cached = str "SELECT v FROM t", ffi.new "struct mp_prepared *[1]"
    long.len = huge
    assert.equal(C.MP_ETOOBIG, C.mp_session_prepare(world.session, long, str "", 0, cached, world.on_prepared, nil))
  end)

  it("because it is of two kinds, nobody waits for it, or its names are the statement's own", function()
    connected { config = { keyspace = "ks" } }
    local text = "SELECT v FROM t WHERE k = ?"
    world.shapes[text] = { params = { { "k", "int" } }, pk_indexes = { 0 } }
    local statement = assert(world:prepare(text))
    local request = C.mp_request_take(world.session)
    local function refused(change)
      C.mp_request_clear(request)
      request.on_done = world.on_done
      change()
      assert.equal(C.MP_EINVAL, C.mp_request_submit(request))
    end
    refused(function() end)
    refused(function()
      C.mp_request_use(request, statement)
      request.cql = str(text)
    end)
    refused(function()
      request.cql = str(text)
      request.on_done = nil
    end)
    refused(function()
      C.mp_request_use(request, statement)
      request.named_values = true
    end)
    refused(function() assert.equal(0, C.mp_request_batch(request, C.MP_BATCH_LOGGED)) end) -- an empty one
    C.mp_request_give(request)
  end)

  it("because a part of its payload does not fit, and keeps those that do", function()
    connected()
    local request = C.mp_request_take(world.session)
    local long = ("n"):rep(65536)
    assert.equal(0, C.mp_request_add_payload(request, str "a", str "1"))
    local len = tonumber(request.payload.len)
    assert.equal(C.MP_EINVAL, C.mp_request_add_payload(request, str(long), str "1"))
    local beyond = str "never read so far"
    beyond.len = 2 ^ 31
    assert.equal(C.MP_EINVAL, C.mp_request_add_payload(request, str "b", beyond))
    assert.equal(len, tonumber(request.payload.len))
    for _ = 2, 65535 do assert(C.mp_request_add_payload(request, str "", str "") == 0) end
    assert.equal(C.MP_EINVAL, C.mp_request_add_payload(request, str "", str ""))
    assert.same({ 255, 255 }, { request.payload.data[0], request.payload.data[1] })
    C.mp_request_give(request)
  end)

  it("because USE would change one connection of many", function()
    connected()
    for _, cql in ipairs { "USE ks", " use ks", "/* hm */ USE\nks", "-- no\nUse \"ks\"" } do
      local record = world:execute(cql)
      assert.equal("UNSUPPORTED", record.err.code)
      assert.is_truthy(record.err.message:find "one connection of many")
    end
    assert.equal(0, world:statement_count())
    for _, cql in ipairs { "USER ks", "user", "SELECT use FROM t" } do assert.is_nil(world:execute(cql).err) end
  end)

  it("for another keyspace than the session's before v5", function()
    connected { nodes = { { versions = { 3, 4 } } }, config = { keyspace = "ks" } }
    local record = world:execute("SELECT v FROM t", { keyspace = "other" })
    assert.equal("UNSUPPORTED", record.err.code)
    assert.equal("a keyspace of the request's own needs protocol v5, and this connection speaks v4: name the "
      .. "keyspace in front of the table", record.err.message)
    assert.is_nil(world:execute("SELECT v FROM t", { keyspace = "ks" }).err)
    world:close()
    connected { config = { keyspace = "ks" } }
    assert.is_nil(world:execute("SELECT v FROM t", { keyspace = "other" }).err)
    local seen = {}
    for _, node in ipairs(world.nodes) do
      for _, request in ipairs(node.statements) do seen[#seen + 1] = request.keyspace end
    end
    assert.same({ "other" }, seen)
  end)

  it("because the host that it names is not up", function()
    connected { nodes = { {}, { dead = true } } }
    local record = world:execute("SELECT v FROM t", { pinned_host = world:find("127.0.0.2").index })
    assert.equal("NO_HOST_AVAILABLE", record.err.code)
    assert.is_truthy(record.err.message:find "is not up")
  end)
end)
