-- SPDX-License-Identifier: Apache-2.0
-- The seed document's health monitoring.
--   moonpool run --embedded 3 examples/seed/09_health_monitoring.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local advancedPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  keyspace = seed.keyspace "myapp", healthCheck = { enabled = true, interval = 10000, timeout = 5000 } }
assert(advancedPool:initialize())
seed.read(advancedPool, 60, "myapp")

local function show(healthStatus)
  print("Pool Health:", healthStatus.overall) -- "healthy", "degraded", "unhealthy"
  for _, host in ipairs(healthStatus.hosts) do
    print("", host.address, host.status, host.connections, host.averageLatency, host.errorRate)
  end
  for _, recommendation in ipairs(healthStatus.recommendations) do print("", tostring(recommendation)) end
  return healthStatus
end

local function of(healthStatus, address)
  for _, host in ipairs(healthStatus.hosts) do
    if host.address == address then return host end
  end
end

local healthStatus = show(assert(advancedPool:getHealthStatus()))
seed.check("no host is down", healthStatus.overall ~= "unhealthy", healthStatus.overall)
seed.check("every host is shown", #healthStatus.hosts == #advancedPool:getHosts(), #healthStatus.hosts)
for _, host in ipairs(healthStatus.hosts) do
  seed.check("it has connections: " .. host.address, host.connections >= 1, host.connections)
  seed.check("its latency is known: " .. host.address, host.averageLatency > 0, host.averageLatency)
  seed.check("it fails nothing: " .. host.address, host.errorRate == 0, host.errorRate)
end

if seed.cluster then -- a real one may have troubles of its own
  seed.check("all is well", healthStatus.overall == "healthy", healthStatus.overall)
  seed.check("nothing is recommended", #healthStatus.recommendations == 0, #healthStatus.recommendations)
  local third = seed.host(advancedPool, 3).address
  seed.cluster:kill(3)
  seed.eventually("a host that is down degrades the pool", function()
    return advancedPool:getHealthStatus().overall == "degraded"
  end)
  healthStatus = show(advancedPool:getHealthStatus())
  seed.check("it is that one", of(healthStatus, third).connections == 0, of(healthStatus, third).status)
  seed.check("something is recommended", #healthStatus.recommendations >= 1)
  seed.cluster:kill(1)
  seed.cluster:kill(2)
  seed.eventually("without hosts it is unhealthy", function()
    return advancedPool:getHealthStatus().overall == "unhealthy"
  end)
end
advancedPool:close()
