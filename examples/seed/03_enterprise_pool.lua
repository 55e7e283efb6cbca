-- SPDX-License-Identifier: Apache-2.0
-- The seed document's enterprise configuration.
--   moonpool run --embedded 6 --dcs 2 examples/seed/03_enterprise_pool.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local advancedPool = moonpool.AdvancedConnectionPool {
  -- Basic connection settings
  contactPoints = { seed.hosts[1], seed.hosts[2], seed.hosts[3] },
  localDataCenter = seed.dc,
  keyspace = seed.keyspace "production_app",

  -- Advanced pooling options
  pooling = {
    coreConnectionsPerHost = { ["0"] = 4, ["1"] = 2, ["2"] = 1 },
    maxConnectionsPerHost = { ["0"] = 16, ["1"] = 8, ["2"] = 4 },
    maxRequestsPerConnection = 32768,
    heartBeatInterval = 30000,

    -- Pool warmup
    warmup = true,
    warmupTimeout = 10000,

    -- Connection lifecycle
    idleTimeout = 120000,
    connectionTimeout = 5000,

    -- Pool monitoring
    enableMetrics = true,
    metricsInterval = 5000,
  },

  -- Load balancing
  loadBalancing = {
    policy = "TokenAwarePolicy",
    childPolicy = "DCAwareRoundRobinPolicy",
    usedHostsPerRemoteDc = 1,
  },

  -- Retry and failover
  retry = {
    policy = "DefaultRetryPolicy",
    maxRetries = 3,
    retryDelay = 1000,
  },

  -- Health monitoring
  healthCheck = {
    enabled = true,
    interval = 10000,
    timeout = 5000,
    query = "SELECT release_version FROM system.local",
  },
}
assert(advancedPool:initialize())

-- Warm when it returns: four connections to each local host, two to one host of each other datacentre.
local remotes = {}
for _, host in ipairs(advancedPool:getHosts()) do
  if host.distance == "local" then
    seed.check("core connections of " .. host.address, host.connections == 4, host.connections)
    seed.check("most connections of " .. host.address, host.maxConnections == 16, host.maxConnections)
  else
    remotes[host.datacenter] = (remotes[host.datacenter] or 0) + (host.connections > 0 and 1 or 0)
    seed.check("connections of " .. host.address, host.connections == 0 or host.connections == 2, host.connections)
  end
end
for dc, count in pairs(remotes) do seed.check("hosts of " .. dc .. " that are used", count == 1, count) end

local _, by_dc = seed.read(advancedPool, 60, "production_app")
seed.check("the local datacentre answers", by_dc[seed.dc] == 60, by_dc[seed.dc])
seed.check("metrics are kept", advancedPool:getMetrics().requestsPerSecond > 0)

if seed.cluster then
  -- A node that is overloaded once: the retry policy waits retryDelay and asks again.
  local rule = seed.cluster:rule { statement = "SELECT name /* twice */", error = "OVERLOADED", times = 1 }
  local began = moonpool.now()
  local result = assert(advancedPool:execute "SELECT name /* twice */ FROM items WHERE id = 1")
  seed.check("it was asked twice", result.info.attempts == 2, result.info.attempts)
  seed.check("after retryDelay", moonpool.now() - began >= 1000, moonpool.now() - began)
  rule:remove()
  -- Each host is probed by the health check's query.
  local probes = seed.cluster:rule { statement = "release_version FROM system.local", delay = 0 }
  seed.eventually("the health check asks", function() return probes:hits() > 0 end, 30000)
  probes:remove()
end
advancedPool:close()
