-- SPDX-License-Identifier: Apache-2.0
-- A statement that changes the schema ends when all hosts that are up have the new one, or when it has waited enough.
local ffi = require "ffi"
local C = require "spec.support.c"
local session_world = require "spec.support.session_world"
local str = require("spec.support.peer").str

local CREATE = "CREATE TABLE ks.t (k int PRIMARY KEY)"

describe("the agreement on a schema", function()
  local world, lines, log

  before_each(function()
    world, lines = session_world.connected { config = { request_timeout_ms = 60000, attempt_timeout_ms = 60000 } }, {}
    world:until_true(function() return world:up_count() == 3 end)
    log = ffi.cast("struct mp_log *", C.mp_session_log(world.session))
    log.level = C.MP_LOG_WARN
    log.sink = world.loop:callback("void (*)(void *, enum mp_log_level, const char *)",
      function(_, _, line) lines[#lines + 1] = ffi.string(line) end)
    world.on_statement = function(_, link, request)
      link.owed[request.stream] = nil
      link:send(function(buf)
        C.mp_encode_result_schema(buf, link.version, request.stream, "CREATED", "TABLE", str "ks", str "t")
      end)
      return true
    end
  end)
  after_each(function()
    log.level, log.sink = C.MP_LOG_OFF, nil
    world:close()
  end)

  local function change()
    local began = world.loop:now_ms()
    local record = world:submit(CREATE, { pinned_host = world:find("127.0.0.1").index })
    world:until_true(function() return record.done end)
    assert.is_nil(record.err)
    return tonumber(world.loop:now_ms() - began)
  end

  it("is there at once when all have one", function()
    assert.is_true(change() < 100)
    assert.same({}, lines)
  end)

  it("is waited for, whoever is behind", function()
    for behind = 1, 3 do
      local node = world.nodes[behind]
      node.schema_version = ("o"):rep(16)
      local done
      local record = world:submit(CREATE, { pinned_host = world:find("127.0.0.1").index,
        on_done = function() done = true end })
      world:pass(3000)
      assert.is_nil(done)
      node.schema_version = nil
      world:pass(600)
      assert.is_true(done)
      assert.is_nil(record.err)
      assert.same({}, lines)
    end
  end)

  it("is waited for ten seconds, and then missed", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    local took = change()
    assert.is_true(took >= 10000 and took < 10100, took)
    assert.equal(1, #lines)
    assert.matches("the hosts do not agree on the schema yet", lines[1], 1, true)
  end)

  it("is not waited for longer than the request may take", function()
    world.nodes[2].schema_version = ("o"):rep(16)
    local began = world.loop:now_ms()
    world:execute(CREATE, { timeout_ms = 2000 })
    local took = tonumber(world.loop:now_ms() - began)
    assert.is_true(took >= 1900 and took <= 2010, took)
  end)

  it("is that of the hosts that are up", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    world:kill(world.nodes[3])
    world:until_true(function() return world:up_count() == 2 end)
    lines = {}
    assert.is_true(change() < 100)
    assert.same({}, lines)
  end)

  it("is missed by one host that has no version of its own", function()
    world.nodes[2].schema_version = false
    assert.is_true(change() >= 10000)
    assert.equal(1, #lines)
  end)
end)
