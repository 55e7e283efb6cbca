-- SPDX-License-Identifier: Apache-2.0
-- A session on the simulated cluster: real statements, real replicas, and nodes that come and go.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"
local sim_world = require "spec.support.sim_world"

describe("on the simulated cluster a session", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function run(cql, options)
    options = options or {}
    options.timeout_ms = options.timeout_ms or 20000
    local record = world:execute(cql, options)
    assert.is_nil(record.err, record.err and record.err.message)
    return record
  end

  local function open(cluster, config)
    world = session_world.connected { cluster = cluster, config = config }
    run "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    run "CREATE TABLE ks.kv (k int PRIMARY KEY, v text)"
    run "CREATE TABLE ks.lists (k int PRIMARY KEY, l list<text>)"
  end

  local function statements()
    return {
      read = assert(world:prepare "SELECT v FROM ks.kv WHERE k = ?"),
      write = assert(world:prepare "INSERT INTO ks.kv (k, v) VALUES (?, ?)"),
      append = assert(world:prepare "UPDATE ks.lists SET l = l + ? WHERE k = ?"),
    }
  end

  -- `count` requests in flight for `ms`; each on_done submits the next. Returns all records.
  local function load(ms, count, submit)
    local records, ends = {}, world.loop:now_ms() + ms
    local function go()
      if world.loop:now_ms() >= ends then return end
      local record = submit(#records + 1, go)
      assert.equal(0, record.rc)
      records[#records + 1] = record
    end
    for _ = 1, count do go() end
    return records, function()
      world:until_true(function() return world.open_requests == 0 end)
    end
  end

  local function failed(records)
    local list = {}
    for _, record in ipairs(records) do
      if record.err then list[#list + 1] = record.err.message end
    end
    return table.concat(list, "\n")
  end

  for version = 3, 5 do
    it("reads and writes on protocol v" .. version, function()
      open { max_version = version }
      assert.equal(version, C.mp_session_version(world.session))
      local stmt = statements()
      for i = 1, 20 do
        assert.is_nil(world:execute(stmt.write, { values = { rows.int(i), "v" .. i } }).err)
      end
      for i = 1, 20 do
        assert.same({ { "v" .. i } }, world:execute(stmt.read, { values = { rows.int(i) } }).rows)
      end
      local record = world:execute "SELEC"
      assert.equal("SYNTAX_ERROR", record.err.code)
    end)
  end

  local function reads_and_writes(stmt)
    return function(i, go)
      local key = rows.int(i % 100)
      -- One at a time costs the loop one round trip; a pause keeps the virtual seconds few.
      if i % 2 == 0 then
        return world:submit(stmt.read, { values = { key }, consistency = C.MP_CL_QUORUM, on_done = go })
      end
      return world:submit(stmt.write,
        { values = { key, "x" }, idempotent = true, consistency = C.MP_CL_QUORUM, on_done = go })
    end
  end

  it("loses no read and no idempotent write while a node is killed and comes back", function()
    open({ nodes = 3, detect_ms = 1000 }, { local_limits = { reconnect_base_ms = 100, reconnect_max_ms = 1000 } })
    local records, drain = load(3000, 8, reads_and_writes(statements()))
    world:pass(500)
    assert.is_true(world:node("kill", 1))
    world:pass(1000)
    assert.is_true(world:node("start", 1))
    world:pass(1500)
    drain()
    assert.equal("", failed(records))
    assert.equal(1, world:count("HOST_DOWN", "127.0.0.2:9042"))
    assert.equal(2, world:count("HOST_UP", "127.0.0.2:9042"))
    assert.is_true(world:count "FAILOVER" >= 1)
    assert.is_true(tonumber(world:node_info(1).requests) > 0)
  end)

  it("loses no read and no idempotent write while a node is paused", function()
    open({ nodes = 3 }, { request_timeout_ms = 2000, attempt_timeout_ms = 300, heartbeat_timeout_ms = 300 })
    local records, drain = load(3000, 8, reads_and_writes(statements()))
    world:pass(500)
    assert.is_true(world:node("pause", 2))
    world:pass(1500)
    assert.equal(1, world:count("HOST_DOWN", "127.0.0.3:9042"))
    assert.is_true(world:node("resume", 2))
    world:pass(1000)
    drain()
    assert.equal("", failed(records))
    world:until_true(function() return world:up_count() == 3 end)
  end)

  it("survives an eviction storm", function()
    open { nodes = 3, prepared_limit = 2 }
    local stmt = statements()
    for i = 1, 300 do
      local key = rows.int(i)
      local a = world:submit(stmt.write, { values = { key, "v" }, idempotent = true })
      local b = world:submit(stmt.read, { values = { key } })
      local c = world:submit(stmt.append, { values = { rows.collection { "op-" .. i }, key } })
      for _, record in ipairs { a, b, c } do
        world:wait(record)
        if record.err then assert.equal("UNPREPARED", record.err.code) end
      end
      assert.is_true(world:received("op-" .. i, true) <= 1)
    end
  end)

  it("follows nodes that join, leave and move", function()
    open({ nodes = 3 }, { discovery_interval_ms = 5000 })
    local number = ffi.new "uint16_t[1]"
    local addr = sim_world.addr("127.0.0.9", 9042)
    assert.equal(0, C.mp_sim_add_node(world.cluster, 1, 1, addr, number))
    world:until_true(function() return world:up_count() == 4 end)
    local stmt = statements()
    for i = 1, 40 do world:execute(stmt.write, { values = { rows.int(i), "v" } }) end
    assert.is_true(tonumber(world:find("127.0.0.9").requests) > 0)
    assert.equal(0, C.mp_sim_remove_node(world.cluster, 0)) -- a contact point, too
    world:until_true(function() return world:stats().hosts_total == 3 end)
    for i = 1, 40 do assert.same({ { "v" } }, world:execute(stmt.read, { values = { rows.int(i) } }).rows) end
    assert.equal(0, C.mp_sim_set_address(world.cluster, 1, sim_world.addr("127.0.0.22", 9042)))
    world:until_true(function() return world:find "127.0.0.22" ~= nil and world:up_count() == 3 end)
    for i = 1, 40 do assert.same({ { "v" } }, world:execute(stmt.read, { values = { rows.int(i) } }).rows) end
  end)

  it("asks replicas", function()
    open { nodes = 6 }
    local stmt = statements()
    world:execute(stmt.read, { values = { rows.int(0) } })
    world:pass(2000)
    local out = ffi.new "uint16_t[6]"
    for i = 1, 100 do
      local key = rows.int(i)
      local bytes = ffi.new "struct mp_bytes"
      bytes.data, bytes.len = ffi.cast("const uint8_t *", key), #key
      local count = tonumber(C.mp_sim_replicas_of(world.cluster, require("spec.support.peer").str "ks", bytes, out, 6))
      assert.equal(3, count)
      local record = world:execute(stmt.read, { values = { key } })
      local is_replica = false
      for n = 0, 2 do is_replica = is_replica or record.host == "127.0.0." .. (out[n] + 1) .. ":9042" end
      assert.is_true(is_replica, record.host)
    end
  end)

  it("speaks to each node of a mixed cluster in its own version", function()
    world = session_world.open { cluster = { nodes = 3 } }
    assert.equal(0, C.mp_sim_set_max_version(world.cluster, 1, 4))
    assert.is_nil(world:connect())
    world:until_true(function() return world:up_count() == 3 end)
    run "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    run "CREATE TABLE ks.kv (k int PRIMARY KEY, v text)"
    local write = assert(world:prepare "INSERT INTO ks.kv (k, v) VALUES (?, ?)")
    local read = assert(world:prepare "SELECT v FROM ks.kv WHERE k = ?")
    for i = 1, 60 do
      assert.is_nil(world:execute(write, { values = { rows.int(i), "v" .. i } }).err)
      assert.same({ { "v" .. i } }, world:execute(read, { values = { rows.int(i) } }).rows)
    end
    for i = 0, 2 do assert.is_true(tonumber(world:node_info(i).requests) > 10) end
  end)
end)
