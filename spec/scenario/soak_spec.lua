-- SPDX-License-Identifier: Apache-2.0
-- Random faults from a seed against all kinds of requests. Whatever happens, the promises hold: see
-- spec/support/workload.lua. MOONPOOL_SEED=N runs that seed alone; MOONPOOL_SEEDS="from-to" runs a range.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"

local REQUESTS, WORKERS, NODES = 2000, 24, 4

local function seeds()
  local from, to = (os.getenv "MOONPOOL_SEEDS" or ""):match "^(%d+)%-(%d+)$"
  if support.given_seed then return support.given_seed, support.given_seed end
  return tonumber(from) or 1, tonumber(to) or 30
end

local codes = { "OVERLOADED", "SERVER_ERROR", "IS_BOOTSTRAPPING", "READ_TIMEOUT", "WRITE_TIMEOUT", "UNAVAILABLE",
  "TRUNCATE_ERROR", "READ_FAILURE", "WRITE_FAILURE" }

-- Each begins something that ends by itself after `span` ms, by the function that it returns.
local disturbances = {
  function(world, node)
    if not world.cluster:node(node).running then return end
    world.cluster:kill(node)
    return function() if not world.cluster:node(node).serving then world.cluster:start(node) end end
  end,
  function(world, node)
    local info = world.cluster:node(node)
    if not info.running or info.paused then return end
    world.cluster:pause(node)
    return function() if world.cluster:node(node).paused then world.cluster:resume(node) end end
  end,
  function(world, node) world.sim:cut(node) end,
  function(world, node)
    world:blackhole(node)
    return function() world:blackhole(node, false) end
  end,
  function(world, node)
    world:partition(node)
    return function() world:partition(node, false) end
  end,
  function(world, node)
    local address = world.cluster:node(node).address
    world.sim:latency(5 + world.random(200), 50, address)
    return function() world.sim:latency(0.25, 0, address) end
  end,
  function(world, node)
    local code = codes[world.random(#codes) + 1]
    local rule = world.cluster:rule { node = node, opcode = "EXECUTE", probability = 0.5, error = { code = code,
      received = 1, required = 2 } }
    return function() rule:remove() end
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", reset = true, apply = world.random(2) == 0, times = 1,
      skip = world.random(20) }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", drop = true, times = 1 + world.random(4) }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", late = 200 + world.random(1500), times = 1 + world.random(4) }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", cut = world.random(30), times = 1 }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", corrupt = world.random(30), times = 1 }
  end,
  function(world, node) world.cluster:forgetPrepared(node) end,
  function(world, node)
    local info = world.cluster:node(node)
    if not info.running or info.paused or not info.serving then return end
    world.cluster:drain(node)
    return function() if not world.cluster:node(node).serving then world.cluster:start(node) end end
  end,
  function(world)
    if world.joined then return end
    world.joined = world.cluster:addNode()
    return function()
      moonpool.sleep(3000)
      local info = world.cluster:node(world.joined)
      if info.serving and not info.paused then
        world.cluster:removeNode(world.joined)
        world.joined = nil
      end
    end
  end,
  function(world, node)
    local info = world.cluster:node(node)
    if not info.running or info.paused or not info.serving then return end
    world.moved = (world.moved or 100) + 1
    world.cluster:setAddress(node, "127.0.1." .. world.moved)
  end,
}

local function disturb(world, stop)
  while not stop.now do
    moonpool.sleep(20 + world.random(400))
    local node = world.random(NODES) + 1
    local undo = disturbances[world.random(#disturbances) + 1](world, node)
    if undo then
      local span = 50 + world.random(1500)
      world:spawn(function()
        moonpool.sleep(span)
        undo()
        return true
      end)
    end
  end
  return true
end

-- By the seed: none, or one of these.
local speculative = {
  { policy = "ConstantSpeculativeExecutionPolicy", delay = 0, maxSpeculativeExecutions = 3 },
  { policy = "PercentileSpeculativeExecutionPolicy", percentile = 60, maxSpeculativeExecutions = 2 },
}

local function soak(world, totals)
  local pool = world:pool {
    speculativeExecution = speculative[world.seed % 3],
    contactPoints = { "127.0.0.1", "127.0.0.2", "127.0.0.3" }, failover = { discoveryInterval = 5000 },
    pooling = { heartBeatInterval = 5000, maxConnectionsPerHost = { ["0"] = 2 }, maxRequestsPerConnection = 64 },
  }
  local load = workload.new(world, pool)
  local stop = {}
  local disturber = world:spawn(disturb, world, stop)
  load:run(REQUESTS, WORKERS, function() moonpool.sleep(world.random(30)) end)
  stop.now = true
  disturber:wait()
  moonpool.sleep(2000) -- the last disturbances undo themselves
  world:healed(pool)
  moonpool.sleep(15000) -- hints are delivered
  load:check()
  totals.copies = (totals.copies or 0) + pool:getStats().speculative
  for _, of in pairs(load.of) do
    for fate, count in pairs(of) do totals[fate] = (totals[fate] or 0) + count end
  end
end

describe("a pool under random faults", function()
  local totals = {}
  local from, to = seeds()
  for seed = from, to do
    it("keeps its promises, seed " .. seed, function()
      support.run({ seed = seed, nodes = NODES }, soak, totals)
    end)
  end

  it("was really tried: some requests failed either way, most did not", function()
    if support.given_seed then return end
    if os.getenv "MOONPOOL_SEEDS" then print(totals.ok, totals.unknown, totals.never, totals.copies) end
    assert.is_true(totals.ok > 0.5 * (to - from + 1) * REQUESTS, "ok " .. totals.ok)
    assert.is_true(totals.unknown > 10 and totals.never > 10)
    assert.is_true(totals.copies > 100 * (to - from + 1), "copies " .. totals.copies)
  end)
end)
