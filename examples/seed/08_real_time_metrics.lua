-- SPDX-License-Identifier: Apache-2.0
-- The seed document's real-time metrics.
--   moonpool run --embedded 3 examples/seed/08_real_time_metrics.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local advancedPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  keyspace = seed.keyspace "myapp" }
assert(advancedPool:initialize())
seed.read(advancedPool, 100, "myapp")
moonpool.sleep(1200)

local metrics = advancedPool:getMetrics()
print("Connection Metrics:",
  -- Per-host metrics
  metrics.hostsUp, metrics.hostsDown,
  -- Connection metrics
  metrics.totalConnections, metrics.activeConnections, metrics.idleConnections,
  -- Request metrics
  metrics.requestsPerSecond, metrics.averageLatency, metrics.errorRate,
  -- Pool efficiency
  metrics.poolUtilization, metrics.connectionTurnover)

local hosts = #advancedPool:getHosts()
seed.check("all hosts are up", metrics.hostsUp == hosts and metrics.hostsDown == 0, metrics.hostsUp)
seed.check("a connection to each", metrics.totalConnections == hosts, metrics.totalConnections)
seed.check("active and idle are all", metrics.activeConnections + metrics.idleConnections == metrics.totalConnections)
seed.check("requests were counted", metrics.requestsPerSecond > 0, metrics.requestsPerSecond)
seed.check("they took some time", metrics.averageLatency > 0, metrics.averageLatency)
seed.check("none failed", metrics.errorRate == 0, metrics.errorRate)
seed.check("there is room", metrics.poolUtilization >= 0 and metrics.poolUtilization < 0.1, metrics.poolUtilization)
seed.check("no connection went", metrics.connectionTurnover == 0, metrics.connectionTurnover)

if seed.cluster then
  seed.cluster:kill(3)
  local rule = seed.cluster:rule { statement = "bad", error = "SYNTAX_ERROR" }
  for _ = 1, 50 do advancedPool:execute "SELECT name /* bad */ FROM items WHERE id = 1" end
  rule:remove()
  seed.eventually("the metrics follow", function()
    local now = advancedPool:getMetrics()
    return now.hostsDown == 1 and now.hostsUp == hosts - 1 and now.errorRate > 0 and now.connectionTurnover > 0
  end)
end
advancedPool:close()
