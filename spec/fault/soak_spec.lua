-- SPDX-License-Identifier: Apache-2.0
-- Thousands of requests among nodes that die, stop, stall and lie, in virtual time from one seed. Whatever happens:
-- each request completes once and in time, nothing that must not run twice is executed twice, what was acknowledged is
-- there, and at the end nothing is left.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local NODES = 5
local REQUESTS = 10000
local TIMEOUT_MS = 1500

local function random_source(seed)
  local state = ffi.new "struct mp_rand"
  C.mp_rand_seed(state, seed)
  return function(bound) return tonumber(C.mp_rand_below(state, bound)) end
end

describe("a session under random faults", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function ddl(cql)
    local record = world:execute(cql, { timeout_ms = 20000 })
    assert.is_nil(record.err, record.err and record.err.message)
  end

  -- Copies of whatever may have them, after delays by chance.
  local function speculate(random)
    local policies = ffi.new "struct mp_policy_calls"
    policies.speculate.after = world.loop:callback(
      "uint32_t (*)(void *, const struct mp_request_view *, uint32_t)", function(_, view)
        assert(view.idempotent and not view.isLwt)
        local chance = random(10)
        if chance == 0 then return 0xffffffff end -- MP_SPECULATE_NEVER
        return chance < 3 and 0 or random(80)
      end)
    C.mp_session_set_policies(world.session, policies)
  end

  local function open(seed)
    world = session_world.connected {
      seed = seed, cluster = { nodes = NODES, seed = seed, write_timeout_ms = 500, read_timeout_ms = 500 },
      contacts = { "127.0.0.1", "127.0.0.2", "127.0.0.3" },
      config = {
        request_timeout_ms = TIMEOUT_MS, attempt_timeout_ms = 400, heartbeat_interval_ms = 1000,
        local_limits = { core = 1, max = 2, reconnect_base_ms = 100, reconnect_max_ms = 1000 },
        max_requests_per_connection = 64, connects_per_second = 0, discovery_interval_ms = 3000,
      },
    }
    ddl "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    ddl "CREATE TABLE ks.kv (k int PRIMARY KEY, v text)"
    ddl "CREATE TABLE ks.lists (k int PRIMARY KEY, l list<text>)"
    return {
      read = assert(world:prepare "SELECT v FROM ks.kv WHERE k = ?"),
      write = assert(world:prepare "INSERT INTO ks.kv (k, v) VALUES (?, ?)"),
      append = assert(world:prepare "UPDATE ks.lists SET l = l + ? WHERE k = ?"),
      list = assert(world:prepare "SELECT l FROM ks.lists WHERE k = ?"),
    }
  end

  -- Each disturbance undoes itself after a while.
  local function disturb(random)
    local node, span = random(NODES), 50 + random(1500)
    local kind = random(7)
    local function later(fn)
      local ends = world.loop:now_ms() + span
      world.undo[#world.undo + 1] = { at = ends, fn = fn }
    end
    local addr = ffi.new("struct mp_addr", world:node_info(node).addr)
    if kind == 0 and world:node("kill", node) then
      later(function() world:node("start", node) end)
    elseif kind == 1 and world:node("pause", node) then
      later(function() world:node("resume", node) end)
    elseif kind == 2 then
      C.mp_loop_sim_cut(world.loop.handle, addr)
    elseif kind == 3 then
      C.mp_loop_sim_blackhole(world.loop.handle, addr, true)
      later(function() C.mp_loop_sim_blackhole(world.loop.handle, addr, false) end)
    elseif kind == 4 then
      world:rule { node = node, action = C.MP_SIM_RESET, apply = random(2) == 0, times = 1, skip = random(20) }
    elseif kind == 5 then
      world:rule { node = node, action = C.MP_SIM_DROP, times = 1 + random(5), probability = 0.3 }
    else
      C.mp_sim_forget_prepared(world.cluster, node)
    end
  end

  local function undo(all)
    local left = {}
    for _, entry in ipairs(world.undo) do
      if all or entry.at <= world.loop:now_ms() then entry.fn() else left[#left + 1] = entry end
    end
    world.undo = left
  end

  local function submit_one(statements, i, random, on_done)
    local key = rows.int(random(50))
    local kind = random(10)
    if kind < 4 then
      return world:submit(statements.read, { values = { key }, consistency = C.MP_CL_QUORUM, on_done = on_done })
    elseif kind < 7 then
      return world:submit(statements.write,
        { values = { key, "v" .. i }, idempotent = true, consistency = C.MP_CL_QUORUM, on_done = on_done })
    end
    local op = string.format("op-%06d", i)
    local record = world:submit(statements.append,
      { values = { rows.collection { op }, key }, consistency = C.MP_CL_QUORUM, on_done = on_done })
    record.op = op
    return record
  end

  local function count_lists(statements)
    local seen = {}
    for k = 0, 49 do
      local record = world:execute(statements.list, { values = { rows.int(k) }, consistency = C.MP_CL_QUORUM,
        timeout_ms = 20000 })
      assert.is_nil(record.err, record.err and record.err.message)
      local list = record.rows[1] and record.rows[1][1]
      for op in (list or ""):gmatch "op%-%d%d%d%d%d%d" do seen[op] = (seen[op] or 0) + 1 end
    end
    return seen
  end

  local function run(seed, total, copies)
    local random = random_source(seed * 7919)
    local statements = open(seed)
    if copies then speculate(random_source(seed * 104729)) end
    world.undo = {}
    local records, finished, slowest = {}, 0, 0
    local function on_done(record)
      finished = finished + 1
      slowest = math.max(slowest, record.latency_ms)
    end
    local next_one, next_fault = 1, world.loop:now_ms()
    while finished < total do
      for _ = 1, 3 do
        if next_one <= total and world.open_requests < 48 then
          local record = submit_one(statements, next_one, random, on_done)
          if record.rc ~= 0 then
            assert.equal(C.MP_EBUSY, record.rc)
            finished = finished + 1
          end
          records[next_one] = record
          next_one = next_one + 1
        end
      end
      if world.loop:now_ms() >= next_fault then
        disturb(random)
        next_fault = next_fault + random(500)
      end
      undo()
      world:pass(2)
    end
    undo(true)
    C.mp_sim_clear_rules(world.cluster)
    assert.is_true(slowest <= TIMEOUT_MS + 50, "a request took " .. slowest .. " ms")
    return statements, records
  end

  local function check(statements, records)
    -- Healed soon after the faults are over.
    world:until_true(function() return world:up_count() == NODES end, 10000)
    world:pass(15000) -- hints are delivered
    local seen = count_lists(statements)
    local counts = { ok = 0, unknown = 0, never = 0, failed = 0 }
    for _, record in ipairs(records) do
      if record.err then counts.failed = counts.failed + 1 end
      if record.op and record.rc == 0 then
        local times = seen[record.op] or 0
        assert.is_true(world:received(record.op, true) <= 1, record.op .. " was executed twice")
        if not record.err then
          counts.ok = counts.ok + 1
          assert.equal(1, times, record.op)
        elseif record.err.maybe_applied then
          counts.unknown = counts.unknown + 1
          assert.is_true(times <= 1)
        else
          counts.never = counts.never + 1
          assert.equal(0, times, record.op .. " was certainly not applied: " .. record.err.message)
        end
      end
    end
    return counts
  end

  -- INV11: what was sent beside first attempts and for lost connections is within the budget.
  local function check_copies(stats)
    assert.is_true(stats.speculative > 100, stats.speculative)
    assert.is_true(stats.speculative_wins > 10, stats.speculative_wins)
    assert.is_true(stats.speculative_wins <= stats.speculative)
    local seconds = world.loop:now_ms() / 1000
    assert.is_true(stats.speculative <= 500 + stats.requests / 10 + 10 * seconds)
    assert.equal(0, world.session.attempts.in_use)
  end

  for seed = 1, 6 do
    local copies = seed > 3
    it("keeps its promises, seed " .. seed .. (copies and ", with copies" or ""), function()
      local statements, records = run(seed, seed % 3 == 1 and REQUESTS or REQUESTS / 5, copies)
      local counts = check(statements, records)
      assert.is_true(counts.ok > 100)
      local stats = world:stats()
      if copies then check_copies(stats) end
      assert.equal(0, stats.requests_in_flight + stats.requests_queued)
      for i = 0, tonumber(world.session.view.host_count) - 1 do
        assert.equal(0, world.session.view.hosts[i].inFlight)
      end
    end)
  end
end)
