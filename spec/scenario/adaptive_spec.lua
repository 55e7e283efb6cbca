-- SPDX-License-Identifier: Apache-2.0
-- Adaptive sizing of real pools: the loads of bench/adaptive.lua, and what docs/adaptive-pooling.svg shows of them; per
-- host; while the configuration changes and a node dies.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local it_in = support.inside(it)

local bench = assert(loadfile(MOONPOOL_ROOT .. "/bench/adaptive.lua")) "as a module"

local function load_named(name)
  for _, load in ipairs(bench.loads) do
    if load.name == name then return load end
  end
end

-- The size at a second of the run.
local function size_at(state, second)
  local size
  for _, look in ipairs(state.seen) do
    if look.at <= second * 1000 then size = look.size end
  end
  return size
end

local done = {}
local function run(name)
  if done[name] then return done[name] end
  local state = bench.run(load_named(name), tonumber(os.getenv "MOONPOOL_SEED") or 1)
  assert.equal(0, state.failed, state.failure)
  assert.equal(state.requests, state.stats.requests)
  assert.equal(#state.resizes, state.stats.poolResizes)
  assert.equal(0, state.stats.connectionErrors)
  for _, look in ipairs(state.seen) do
    assert.is_true(look.size >= 2 and look.size <= 20)
  end
  for _, event in ipairs(state.resizes) do
    assert.equal("127.0.0.1:9042", event.host)
    if event.reason ~= "no connection has room" then assert.matches("^utilization was %d%.%d%d$", event.reason) end
  end
  done[name] = state
  return state
end

describe("adaptivePooling", function()
  it("follows a staircase up and down without a step back", function()
    local state = run "staircase"
    assert.equal(1, state.turns)
    for second, load in pairs { [9] = 10, [19] = 30, [29] = 60, [39] = 120 } do
      local size = size_at(state, second)
      assert.is_true(load <= 0.8 * size * 10, second .. " s: " .. size)
      assert.is_true(load >= 0.3 * size * 10, second .. " s: " .. size)
    end
    assert.is_true(size_at(state, 59) < 18)
    assert.equal(2, size_at(state, 79))
  end)

  it("meets a spike at once and forgets it slowly", function()
    local state = run "spike"
    assert.equal(1, state.turns)
    assert.is_true(size_at(state, 10.5) >= 15, "half a second after it began: " .. size_at(state, 10.5))
    assert.is_true(size_at(state, 14) >= 15)
    assert.is_true(size_at(state, 39) <= 3) -- where 10 requests are between the thresholds
  end)

  it("stays where it is while the load oscillates", function()
    local state = run "oscillation of 2 s"
    assert.equal(0, state.turns)
    assert.equal(size_at(state, 10), size_at(state, 59))
  end)

  it("follows a load that comes and goes slowly, turning as often as that does", function()
    local state = run "oscillation of 40 s"
    assert.is_true(state.turns <= 3, state.turns .. " turns")
    assert.is_true(size_at(state, 20) >= 12 and size_at(state, 60) >= 12)
    assert.is_true(size_at(state, 42) <= 8)
  end)

  it("is drawn by a command, and the drawing in the manual is that one", function()
    local state = run "spike"
    local svg = bench.svg { state }
    assert.matches("^<svg .*</svg>\n$", svg)
    assert.matches("0 of %d+ requests failed", svg)
    local file = assert(io.open(MOONPOOL_ROOT .. "/docs/adaptive-pooling.svg"))
    local drawn = file:read "*a"
    file:close()
    for _, load in ipairs(bench.loads) do assert.is_truthy(drawn:find(load.name, 1, true)) end
    assert.is_truthy(drawn:find("14 resizes, 1 turns, 2 to 20 connections", 1, true))
  end)
end)

describe("adaptivePooling of a pool", function()
  local function pooling(more)
    local rules = { minConnections = 2, maxConnections = 12, evaluationInterval = 1000 }
    for key, value in pairs(more or {}) do rules[key] = value end
    return { maxRequestsPerConnection = 8, adaptivePooling = rules }
  end

  local function keep_busy(world, pool, node, count)
    local state = { going = true, failed = 0, futures = {} }
    for i = 1, count do
      state.futures[i] = world:spawn(function()
        while state.going do
          local options = { host = node and world:host(node) }
          local _, err = pool:execute("SELECT key /* slow */ FROM system.local", nil, options)
          if err then state.failed, state.err = state.failed + 1, err.message end
        end
      end)
    end
    function state.stop()
      state.going = false
      for _, future in ipairs(state.futures) do future:wait() end
    end
    return state
  end

  it_in("is each host's own, and seen in getHosts() and events", function(world)
    world.cluster:rule { statement = "slow", delay = 200 }
    local pool = world:pool { pooling = pooling(), requestTimeout = 10000 }
    local told = world:listen(pool, "poolResize").poolResize
    local load = keep_busy(world, pool, 2, 60)
    moonpool.sleep(6000)
    local wanted = {}
    for number = 1, 3 do
      local _, host = world:status(pool, number)
      wanted[number] = host.wantedConnections
      assert.equal(12, host.maxConnections)
      assert.equal(host.wantedConnections, host.connections)
    end
    assert.is_true(wanted[2] >= 10, wanted[2])
    assert.same({ 2, 2 }, { wanted[1], wanted[3] })
    local _, host = world:status(pool, 2)
    assert.near(60 / (wanted[2] * 8), host.utilization, 0.05)
    load.stop()
    moonpool.sleep(20000)
    _, host = world:status(pool, 2)
    assert.equal(2, host.wantedConnections)
    assert.equal(0, load.failed, load.err)
    local at = 2
    for _, event in ipairs(told) do
      assert.equal(world:host(2), event[1].host)
      assert.equal(at, event[1].from)
      at = event[1].to
    end
    assert.equal(2, at)
    assert.equal(#told, pool:getStats().poolResizes)
  end)

  it_in("loses no request when a node dies in the middle of it, and begins anew with that node", function(world)
    world.cluster:rule { statement = "slow", delay = 250 }
    local pool = world:pool { pooling = pooling(), requestTimeout = 10000, attemptTimeout = 5000 }
    local load = keep_busy(world, pool, nil, 120)
    for round = 1, 3 do
      moonpool.sleep(2500)
      world.cluster:kill(round % 3 + 1)
      moonpool.sleep(1500)
      world.cluster:start(round % 3 + 1)
    end
    world:waitUp(pool)
    moonpool.sleep(4000)
    load.stop()
    assert.equal(0, load.failed, load.err)
    world:healed(pool)
  end)

  it_in("goes before the fixed sizes of local hosts, and leaves those of others alone", { nodes = 4, dcs = 2 },
    function(world)
      local sizes = pooling()
      sizes.coreConnectionsPerHost, sizes.maxConnectionsPerHost = { ["0"] = 5, ["1"] = 3 }, { ["0"] = 6, ["1"] = 3 }
      local pool = world:pool { pooling = sizes, loadBalancing = { usedHostsPerRemoteDc = 2 } }
      for number, node in ipairs(world.cluster:nodes()) do
        local _, host = world:status(pool, number)
        assert.equal(node.dc == "datacenter1" and 2 or 3, host.connections)
      end
    end)

  it_in("does not take away what was preallocated before it has seen a load", function(world)
    local pool = world:pool { pooling = pooling() }
    moonpool.sleep(10000)
    assert.same({ ["127.0.0.1"] = 9 }, (pool:preallocateConnections { ["127.0.0.1"] = 9 }))
    moonpool.sleep(3000)
    local _, host = world:status(pool, 1)
    assert.equal(9, host.connections)
    moonpool.sleep(20000)
    _, host = world:status(pool, 1)
    assert.equal(2, host.connections)
  end)
end)
