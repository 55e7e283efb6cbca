-- SPDX-License-Identifier: Apache-2.0
-- Random faults from a seed against all kinds of requests. Whatever happens, the promises hold: see
-- spec/support/workload.lua. MOONPOOL_SEED=N runs that seed alone; MOONPOOL_SEEDS="from-to" runs a range.
local moonpool = require "moonpool"
local disturbances = require "spec.support.faults.disturbances"
local support = require "spec.support.world"
local workload = require "spec.support.workload"

local REQUESTS, WORKERS, NODES = 2000, 24, 4

local function seeds()
  local from, to = (os.getenv "MOONPOOL_SEEDS" or ""):match "^(%d+)%-(%d+)$"
  if support.given_seed then return support.given_seed, support.given_seed end
  return tonumber(from) or 1, tonumber(to) or 30
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
  local disturber = world:spawn(disturbances.run, world, stop, 400, 1500)
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
