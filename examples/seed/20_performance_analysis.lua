-- SPDX-License-Identifier: Apache-2.0
-- The seed document's performance analysis.
--   moonpool run --embedded 3 examples/seed/20_performance_analysis.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local advancedPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  keyspace = seed.keyspace "myapp" }
assert(advancedPool:initialize())
local function load(seconds)
  local stop = seed.busy(10, function(number)
    assert(advancedPool:execute("SELECT name FROM items WHERE id = ?", { number }))
    moonpool.sleep(5)
  end)
  moonpool.sleep(seconds * 1000)
  stop()
end

-- Analyze pool performance
local function show(analysis)
  print("Performance Analysis:", #analysis.bottlenecks, #analysis.recommendations,
    analysis.avgConnectionTime, analysis.avgRequestTime, analysis.poolEfficiency)
  for _, bottleneck in ipairs(analysis.bottlenecks) do print("", tostring(bottleneck.message or bottleneck)) end
  return analysis
end

load(3)
local analysis = show(assert(advancedPool:analyzePerformance()))
seed.check("connecting took some time", analysis.avgConnectionTime > 0, analysis.avgConnectionTime)
seed.check("requests took some time", analysis.avgRequestTime > 0, analysis.avgRequestTime)
seed.check("the pool is efficient", analysis.poolEfficiency > 0, analysis.poolEfficiency)

if seed.cluster then -- a real one may have troubles of its own
  seed.check("a healthy run has no bottleneck", #analysis.bottlenecks == 0, #analysis.bottlenecks)
  seed.cluster:rule { node = 2, statement = "SELECT name", delay = 200 } -- one node is slow
  load(10)
  analysis = show(advancedPool:analyzePerformance())
  seed.check("the slow node is named", #analysis.bottlenecks >= 1 and #analysis.recommendations >= 1)
end
advancedPool:close()
