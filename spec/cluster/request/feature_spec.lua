-- SPDX-License-Identifier: Apache-2.0
-- What later versions of the protocol brought, on connections of earlier ones: it never goes out there, whoever asked
-- for it and by whatever way the request comes; a host that can take it is found, or the error says what is missing.
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"

local UNSET = true
local INSERT = "INSERT INTO t (a, b) VALUES (?, ?)"

describe("a feature of a later protocol", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  -- Nodes that speak up to these versions; the first one's is that of the session.
  local function connected(versions, config)
    local nodes = {}
    for i, version in ipairs(versions) do
      nodes[i] = { versions = {} }
      for older = 3, version do nodes[i].versions[older - 2] = older end
    end
    world = session_world.connected { nodes = nodes, config = config }
    world:until_true(function() return world:up_count() == #versions end)
    world.shapes[INSERT] = { params = { { "a", "text" }, { "b", "text" } } }
  end

  -- What came to nodes that speak less than this version.
  local function below(version)
    local found = {}
    for _, node in ipairs(world.nodes) do
      for _, request in ipairs(node.statements) do
        if request.version < version then found[#found + 1] = request end
      end
    end
    return found
  end

  local function has_unset(request) return request.values:find("\255\255\255\254", 1, true) ~= nil end

  local function refused(record, what, needs, has)
    assert.equal("UNSUPPORTED", record.err.code)
    local text = ("%s needs protocol v%d, and this connection speaks v%d: "):format(what, needs, has)
    assert.equal(text, record.err.message:sub(1, #text))
    assert.is_false(record.err.maybe_applied)
    assert.equal(0, record.attempts)
  end

  describe("unset,", function()
    for version = 3, 5 do
      it(("of a prepared statement, a query, and a named one, on v%d"):format(version), function()
        connected({ version }, { protocol_version = version })
        local statement = world:prepare(INSERT)
        local before = world:statement_count()
        for _, record in ipairs {
          world:execute(statement, { values = { "x", UNSET } }),
          world:execute(statement, { values = { UNSET, "y" } }),
          world:execute(INSERT, { values = { "x", UNSET } }),
          world:execute("INSERT INTO t (a, b) VALUES (:a, :b)", { values = { UNSET, "x" }, names = { "a", "b" } }),
        } do
          if version == 3 then refused(record, "an unset value", 4, 3) else assert.is_nil(record.err) end
        end
        assert.equal(version == 3 and before or before + 4, world:statement_count())
        -- a value that looks like it is a value
        assert.is_nil(world:execute(statement, { values = { "\255\255\255\254", false } }).err)
      end)
    end

    it("finds the hosts of a mixed cluster that know it", function()
      connected { 5, 3, 4 }
      local statement = world:prepare(INSERT)
      for _ = 1, 30 do assert.is_nil(world:execute(statement, { values = { "x", UNSET } }).err) end
      for _ = 1, 30 do assert.is_nil(world:execute(INSERT, { values = { UNSET, "x" } }).err) end
      for _, request in ipairs(below(4)) do assert.is_false(has_unset(request)) end
      local record = world:execute(statement, { values = { "x", UNSET }, pinned_host = world:find "127.0.0.2".index })
      refused(record, "an unset value", 4, 3)
    end)

    it("does not reach an older host after a newer one failed", function()
      connected { 5, 3 }
      world.on_statement = function(node, link, request)
        if request.opcode == "PREPARE" then return false end
        if node == world.nodes[1] then link:error(request, C.MP_SE_OVERLOADED, "no") return true end
        return false
      end
      for _ = 1, 10 do
        local record = world:execute(INSERT, { values = { "x", UNSET }, idempotent = true })
        assert.equal("OVERLOADED", record.err.code)
      end
      assert.equal(0, #below(4))
    end)

    it("waits for room at a host that knows it", function()
      connected({ 4, 3 }, { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } })
      local records = {}
      for i = 1, 20 do records[i] = world:submit(INSERT, { values = { "x", UNSET } }) end
      for _, record in ipairs(records) do assert.is_nil(world:wait(record).err) end
      assert.equal(0, #below(4))
    end)
  end)

  describe("a keyspace of the request's own", function()
    for version = 3, 5 do
      it("on v" .. version, function()
        connected({ version }, { protocol_version = version, keyspace = "ks" })
        local record = world:execute("SELECT v FROM t", { keyspace = "other" })
        local statement, err = world:prepare("SELECT v FROM t", { keyspace = "other" })
        if version == 5 then
          assert.is_nil(record.err)
          assert.is_nil(world:execute(statement).err)
        else
          refused(record, "a keyspace of the request's own", 5, version)
          assert.equal("UNSUPPORTED", err.code)
          assert.equal(0, world:statement_count())
        end
        assert.is_nil(world:execute("SELECT v FROM t", { keyspace = "ks" }).err) -- it is the session's
      end)
    end

    it("finds the hosts of a mixed cluster that know it", function()
      connected({ 5, 3, 4 }, { keyspace = "ks" })
      local statement = assert(world:prepare("SELECT v FROM t", { keyspace = "other" }))
      for _ = 1, 20 do
        assert.is_nil(world:execute("SELECT v FROM t", { keyspace = "other" }).err)
        assert.is_nil(world:execute(statement).err)
      end
      assert.equal(0, #below(5))
      -- also when the host that knows the statement forgets it
      world.nodes[1].known = {}
      assert.is_nil(world:execute(statement).err)
      world:kill(world.nodes[1])
      world:until_true(function() return world:up_count() == 2 end)
      local record = world:execute(statement)
      refused(record, "a keyspace of the request's own", 5, tonumber(record.err.message:match "speaks v(%d)"))
      assert.equal(0, #below(5))
    end)
  end)

  it("never goes out below its version, whatever the request and the cluster", function()
    local rand = ffi.new "struct mp_rand"
    C.mp_rand_seed(rand, 20)
    local function below_(n) return tonumber(C.mp_rand_u64(rand) % n) end
    local function one_of(list) return list[1 + below_(#list)] end
    local refusals, sent = 0, 0
    for _ = 1, 12 do
      local newest = one_of { 3, 4, 5 }
      local versions = { newest }
      for i = 2, 1 + below_(3) do versions[i] = 3 + below_(newest - 2) end
      connected(versions, below_(2) == 1 and { keyspace = "ks" } or nil)
      for _ = 1, 40 do
        local count, values, names = below_(5), {}, {}
        local unset, named = false, below_(2) == 1
        for i = 1, count do
          values[i] = one_of { "", "x", "\255\255\255\254", ("y"):rep(70), false, UNSET }
          names[i] = one_of { "a", "\255\255", "name" }
          unset = unset or values[i] == UNSET
        end
        local keyspace = one_of { "", "ks", "other" }
        local foreign = keyspace == "other" or (keyspace == "ks" and world.session.config.keyspace == nil)
        local record = world:execute("UPDATE t SET v = 1", { values = values, names = named and names or nil,
          keyspace = keyspace })
        local possible = (not unset or newest >= 4) and (not foreign or newest >= 5)
        assert.equal(possible, record.err == nil, record.err and record.err.message)
        refusals, sent = refusals + (possible and 0 or 1), sent + (possible and 1 or 0)
        if record.err then assert.equal("UNSUPPORTED", record.err.code) end
      end
      for _, request in ipairs(below(5)) do assert.equal("", request.keyspace) end
      world:close()
      world = nil
    end
    assert.is_true(refusals > 50 and sent > 100)
  end)
end)
