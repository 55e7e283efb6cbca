-- SPDX-License-Identifier: Apache-2.0
-- Request-level failover: whether, how often and after which time a request goes on to another host, beside what the
-- retry policy wants and the replay gate allows.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local world

-- failover: fields of struct mp_failover_limits. verdict, delay: what the retry policy always says.
local function open(failover, verdict, delay, config)
  config = config or {}
  failover.enabled = failover.enabled ~= false
  failover.max_moves = failover.max_moves or 4294967295
  failover.multiplier = failover.multiplier or 1
  config.failover = failover
  config.request_timeout_ms = config.request_timeout_ms or 20000
  world = session_world.connected { nodes = { {}, {}, {}, {}, {} }, config = config }
  world:pass(1500)
  local policies = ffi.new "struct mp_policy_calls"
  policies.retry.decide = world.loop:callback(
    "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)", function(_, _, delay_ms)
      delay_ms[0] = delay or 0
      return verdict or C.MP_NEXT_HOST
    end)
  C.mp_session_set_policies(world.session, policies)
end

-- Every node answers with an error; the list of hosts that were asked, with the times between.
local function struck(code)
  local asked = {}
  world.on_statement = function(node, link, request)
    asked[#asked + 1] = { ip = node.ip, at = world.loop:now_ms() }
    rows.error(link, request, { code = code or C.MP_SE_IS_BOOTSTRAPPING, message = "because" })
    return true
  end
  return asked
end

local function gaps(asked)
  local list = {}
  for i = 2, #asked do list[i - 1] = asked[i].at - asked[i - 1].at end
  return list
end

local function assert_gaps(expected, asked)
  local found = gaps(asked)
  assert.equal(#expected, #found)
  for i, gap in ipairs(expected) do
    assert.is_true(found[i] >= gap and found[i] <= gap + 20, i .. ": " .. found[i] .. " instead of " .. gap)
  end
end

-- Nodes that answer when the function in `held` is called.
local function hold(held)
  return function(node, link, request)
    local copy = { cql = request.cql, id = request.id, stream = request.stream, skip_metadata = request.skip_metadata }
    held[#held + 1] = function() world:succeed(node, link, copy) end
    return true
  end
end

local READ = "SELECT v FROM t"

describe("request-level failover", function()
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("goes through the whole plan at once unless it is told otherwise", function()
    open {}
    local asked = struck()
    local record = world:execute(READ)
    assert.equal(5, #asked)
    assert_gaps({ 0, 0, 0, 0 }, asked)
    assert.equal(5, record.err.total)
    assert.equal(5, tonumber(world:stats().moved))
  end)

  it("stops after the most moves", function()
    for most = 0, 3 do
      open { max_moves = most }
      local asked = struck()
      local record = world:execute(READ)
      assert.equal(most + 1, #asked)
      assert.equal(most + 1, record.err.total)
      assert.equal(most, tonumber(world:stats().moved))
      assert.equal(1, tonumber(world:stats().move_refused))
      world:close()
    end
    world = nil
  end)

  it("waits longer before each move", function()
    open { max_moves = 3, delay_ms = 100, multiplier = 2 }
    local asked = struck()
    world:execute(READ)
    assert_gaps({ 100, 200, 400 }, asked)
  end)

  it("waits as long as the retry policy wants when that is longer", function()
    open({ max_moves = 3, delay_ms = 100, multiplier = 3 }, nil, 250)
    local asked = struck()
    world:execute(READ)
    assert_gaps({ 250, 300, 900 }, asked)
  end)

  it("ends when the next move could only begin after the deadline", function()
    open({ delay_ms = 100, multiplier = 1000 }, nil, nil, { request_timeout_ms = 2000 })
    local asked = struck()
    local record = world:execute(READ)
    assert.equal(2, #asked)
    assert.equal(2, record.err.total)
    assert.is_true(record.latency_ms < 200)
    world:close()
    open({ delay_ms = 4000000000, multiplier = 1000 }, nil, nil,
      { request_timeout_ms = 5000000, heartbeat_interval_ms = 0 })
    asked = struck()
    world:submit(READ)
    world:pass(3700000)
    assert.equal(2, #asked)
    world:pass(2000000)
  end)

  it("does not touch retries on the same host", function()
    open({ enabled = false }, C.MP_SAME_HOST)
    local asked = struck(C.MP_SE_READ_TIMEOUT)
    world.on_statement = function(node, link, request)
      asked[#asked + 1] = { ip = node.ip }
      if #asked > 1 then return end
      rows.error(link, request, { code = C.MP_SE_READ_TIMEOUT, message = "because", consistency = 4, required = 2,
        received = 2 })
      return true
    end
    assert.is_nil(world:execute(READ).err)
    assert.equal(2, #asked)
    assert.equal(asked[1].ip, asked[2].ip)
    assert.equal(0, tonumber(world:stats().moved))
  end)

  it("is never more than the gate allows", function()
    open { max_moves = 100 }
    local asked = struck(C.MP_SE_OVERLOADED)
    local record = world:execute "UPDATE t SET l = l + [1]"
    assert.equal(1, #asked)
    assert.is_true(record.err.maybe_applied)
  end)

  describe("switched off", function()
    it("gives the caller the first error", function()
      open { enabled = false }
      local asked = struck()
      local record = world:execute(READ)
      assert.equal(1, #asked)
      assert.equal("IS_BOOTSTRAPPING", record.err.code)
      assert.equal(1, tonumber(world:stats().move_refused))
      assert.equal(0, world:count "FAILOVER")
    end)

    it("does not turn a retry on the same host into one on another", function()
      open({ enabled = false }, C.MP_SAME_HOST)
      local hosts = {}
      world.on_statement = function(node, link)
        hosts[#hosts + 1] = node.ip
        world:kill(node)
        link:close(true)
        return true
      end
      local record = world:execute(READ)
      assert.equal(1, #hosts)
      assert.equal(1, record.err.total)
    end)

    it("still takes a host with room, and leaves one that is down", function()
      open { enabled = false }
      world:kill(world.nodes[2])
      world:pass(100)
      for _ = 1, 40 do assert.is_nil(world:execute(READ).err) end
    end)

    it("lets a request that was not sent look for another place, at once and unasked", function()
      open({ enabled = false, delay_ms = 500 }, nil, nil, { tcp = { user_timeout_ms = 0 } })
      for _, node in ipairs(world.nodes) do C.mp_loop_sim_stall(world.loop.handle, node.addr, true) end
      local fillers, records = {}, {}
      for i = 1, 5 do fillers[i] = world:submit("UPDATE t SET v = '" .. ("x"):rep(300000) .. "'") end
      world:pass(20)
      for i = 1, 5 do records[i] = world:submit "UPDATE t SET l = l + [1]" end
      world:pass(20)
      for i, node in ipairs(world.nodes) do
        if i ~= 2 then C.mp_loop_sim_stall(world.loop.handle, node.addr, false) end
      end
      C.mp_loop_sim_cut(world.loop.handle, world.nodes[2].addr)
      local moved = 0
      for _, record in ipairs(records) do
        world:wait(record)
        assert.is_nil(record.err, record.err and record.err.message)
        moved = moved + record.attempts - 1
      end
      assert.is_true(moved >= 1)
      assert.equal(0, tonumber(world:stats().move_refused))
      for _, filler in ipairs(fillers) do world:wait(filler) end
      C.mp_loop_sim_stall(world.loop.handle, world.nodes[2].addr, false)
    end)

    it("gives the one attempt all the time there is", function()
      open({ enabled = false }, nil, nil, { attempt_timeout_ms = 300 })
      local held = {}
      world.on_statement = hold(held)
      local record = world:submit(READ, { timeout_ms = 2000 })
      world:pass(1500)
      assert.equal(1, #held)
      held[1]()
      world:wait(record)
      assert.is_nil(record.err)
      assert.is_true(record.latency_ms >= 1500)
    end)
  end)

  it("gives the last attempt all the time that is left", function()
    open({ max_moves = 1 }, nil, nil, { attempt_timeout_ms = 300 })
    local held = {}
    world.on_statement = hold(held)
    local record = world:submit(READ, { timeout_ms = 2000 })
    world:pass(1800)
    assert.equal(2, #held)
    held[2]()
    world:wait(record)
    assert.is_nil(record.err)
  end)
end)
