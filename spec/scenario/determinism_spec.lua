-- SPDX-License-Identifier: Apache-2.0
-- A session and its nodes are one program of one seed: the same seed gives the same events, byte for byte.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"

local function quiet(world)
  local pool = world:pool()
  workload.new(world, pool):run(300, 12):check()
end

local function troubled(world)
  local pool = world:pool { attemptTimeout = 200, pooling = { maxRequestsPerConnection = 16 } }
  local load = workload.new(world, pool):start(12, 10)
  world.sim:latency(1, 2)
  for round = 1, 6 do
    local node = world.random(3) + 1
    world.cluster:kill(node)
    world.cluster:rule { opcode = "EXECUTE", error = "OVERLOADED", probability = 0.1, times = 20 }
    world.cluster:rule { opcode = "EXECUTE", late = 300, probability = 0.05, times = 10 }
    moonpool.sleep(300 + world.random(300))
    world.cluster:start(node)
    world.sim:cut(round % 3 + 1)
    world:blackhole(node % 3 + 1)
    moonpool.sleep(200)
    world:blackhole(node % 3 + 1, false)
    moonpool.sleep(300)
  end
  load:stop()
  world:healed(pool)
  load:check()
end

local function trace_of(seed, body)
  return select(2, support.run({ seed = seed, trace = true }, body))
end

local function first_difference(a, b)
  local lines = b:gmatch "[^\n]*"
  local number = 0
  for line in a:gmatch "[^\n]*" do
    number = number + 1
    local other = lines()
    if line ~= other then return string.format("line %d:\n  %s\n  %s", number, line, tostring(other)) end
  end
  return "the second is longer"
end

describe("one seed", function()
  for name, body in pairs { ["in quiet"] = quiet, ["under faults"] = troubled } do
    for seed = 1, 3 do
      it("gives the same events again, " .. name .. ", seed " .. seed, function()
        local first, second = trace_of(seed, body), trace_of(seed, body)
        assert(#first > 50000, "the trace is too short: " .. #first)
        assert(first == second, "two runs differ at " .. (first == second and "" or first_difference(first, second)))
      end)
    end

    it("is not another one, " .. name, function()
      local traces = {}
      for seed = 11, 14 do
        local trace = trace_of(support.given_seed and support.given_seed or seed, body)
        if not support.given_seed then assert(not traces[trace], "two seeds gave the same") end
        traces[trace] = true
      end
    end)
  end
end)
