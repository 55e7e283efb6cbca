-- SPDX-License-Identifier: Apache-2.0
-- The pace at which a session opens connections: a first connect is as fast as the hosts answer, everything later goes
-- at so many a second.
local ffi = require "ffi"
local C = require "spec.support.c"
local random = require "spec.hunt.random"
local session_world = require "spec.support.session_world"
local sim_world = require "spec.support.sim_world"

local MOST = tonumber(C.MP_PACE_FIRST_MOST)

describe("the first connect", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  -- Every host in sight: how many connections are under way at most, until `done`.
  local function watch(done)
    local most = 0
    world:until_true(function()
      most = math.max(most, world.session.hosts.pace.under_way)
      return done()
    end)
    return most
  end

  it("does not wait for the pace, whatever the number of hosts, and asks few at a time", function()
    local took = {}
    for _, count in ipairs { 100, 400 } do
      world = session_world.open { cluster = { nodes = count }, config = { connects_per_second = 5 } }
      local record = world:begin_connect()
      local most = watch(function() return record.done end)
      assert.is_nil(record.err)
      assert.equal(count, world:up_count())
      assert.is_true(most <= MOST + 5, most) -- and a second's worth of the pace
      took[#took + 1] = tonumber(world.loop:now_ms())
      world:close()
      world = nil
    end
    assert.is_true(took[2] - took[1] < 1000, table.concat(took, ", ")) -- at the pace it were a minute
  end)

  it("is held up by hosts that are silent no longer than the pace says", function()
    world = session_world.open { cluster = { nodes = 200 },
      config = { connects_per_second = 20, connect_timeout_ms = 60000 } }
    for node = 1, 150 do assert(world:node("pause", node)) end
    world:begin_connect()
    world:until_true(function() return world:up_count() == 50 end)
    assert.is_true(world.loop:now_ms() <= 10000, world.loop:now_ms())
    for node = 1, 150 do assert(world:node("resume", node)) end
  end)

  it("is over for a host that failed: what comes then goes at the pace", function()
    world = session_world.open { cluster = { nodes = 40 }, config = { connects_per_second = 4,
      local_limits = { reconnect_base_ms = 10, reconnect_max_ms = 20 } } }
    for node = 1, 39 do assert(world:node("kill", node)) end
    assert.is_nil(world:connect())
    for node = 1, 39 do assert(world:node("start", node)) end
    world:pass(2000)
    local soon = world:up_count()
    assert.is_true(soon <= 1 + 2 * 4 + 4, soon)
    world:until_true(function() return world:up_count() == 40 end)
  end)
end)

-- Hosts that ask at random, first and not: who may is told by the rules alone, and nobody is forgotten.
describe("a pace", function()
  local function run(seed)
    local r = random.new(seed)
    local loop = sim_world.loop(seed)
    local pace, turns = ffi.new "struct mp_pace", {}
    local rate, hosts = r.below(50) + 1, r.below(3 * MOST) + 1
    local called = {}
    local by_address = {}
    local call = loop:callback("void (*)(struct mp_pace_turn *)", function(turn)
      called[#called + 1] = by_address[tostring(ffi.cast("void *", turn))]
    end)
    C.mp_pace_init(pace, loop.handle, call)
    for i = 1, hosts do
      local turn = ffi.new "struct mp_pace_turn"
      C.mp_pace_turn_init(turn)
      turns[i] = { turn = turn, first = not r.chance(3) }
      by_address[tostring(ffi.cast("void *", turn))] = turns[i]
    end
    local under_way, granted, since = 0, 0, tonumber(loop:now_ms())
    local function ask(host)
      local room = host.first and under_way < MOST
      local delay = tonumber(C.mp_pace_delay_ms(pace, host.turn, rate, host.first))
      if delay > 0 then
        assert.is_false(room)
        return false
      end
      host.open, under_way = true, under_way + 1
      if not room then
        granted = granted + 1
        local seconds = (tonumber(loop:now_ms()) - since) / 1000
        assert.is_true(granted <= rate * (seconds + 1) + hosts, granted)
      end
      return true
    end
    local function over(host)
      host.open, under_way = false, under_way - 1
      C.mp_pace_over(pace)
      for _, other in ipairs(called) do ask(other) end
      called = {}
    end
    for _ = 1, 400 do
      local host = r.pick(turns)
      local deed = r.below(10) + 1
      if deed == 1 then loop:pass(r.below(400) + 1)
      elseif deed == 2 then C.mp_pace_forget(pace, host.turn)
      elseif host.open then over(host)
      else ask(host) end
      assert.equal(under_way, tonumber(pace.under_way))
    end
    -- All that wait may in the end.
    for _, host in ipairs(turns) do
      if host.open then over(host) end
    end
    for _, host in ipairs(turns) do
      local waited = 0
      while not host.open and not ask(host) do
        loop:pass(1000 / rate + 1)
        waited = waited + 1
        assert.is_true(waited <= hosts + 400)
      end
      if host.open then over(host) end
    end
    assert.equal(0, tonumber(pace.waiting.count))
    loop:close()
  end

  it("keeps its rules in any order of events", function()
    for seed = 1, 40 do run(seed) end
  end)
end)
