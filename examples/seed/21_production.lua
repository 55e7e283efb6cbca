-- SPDX-License-Identifier: Apache-2.0
-- The seed document's production configuration, from the environment.
--   moonpool run --embedded 6 --dcs 2 examples/seed/21_production.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local keyspace = seed.keyspace "myapp"
local function split(text)
  local list = {}
  for part in text:gmatch "[^,]+" do list[#list + 1] = part end
  return list
end

-- Good: Production-ready pool
local productionPool = moonpool.AdvancedConnectionPool {
  contactPoints = os.getenv "CASSANDRA_HOSTS" and split(os.getenv "CASSANDRA_HOSTS") or seed.hosts,
  localDataCenter = os.getenv "CASSANDRA_DC" or seed.dc,
  keyspace = os.getenv "CASSANDRA_KEYSPACE" or keyspace,

  pooling = {
    coreConnectionsPerHost = { ["0"] = 4, ["1"] = 2 },
    maxConnectionsPerHost = { ["0"] = 16, ["1"] = 8 },
    warmup = true,
    enableMetrics = true,
  },

  loadBalancing = {
    policy = "TokenAwarePolicy",
    childPolicy = "DCAwareRoundRobinPolicy",
  },

  healthCheck = { enabled = true },
  circuitBreaker = { enabled = true },
}
assert(productionPool:initialize())
for _, host in ipairs(productionPool:getHosts()) do
  local wanted = host.distance == "local" and 4 or 2
  seed.check("the core connections of " .. host.address, host.connections == wanted, host.connections)
  seed.check("its breaker is closed", host.breaker == "closed", host.breaker)
end
seed.read(productionPool, 60, keyspace)
moonpool.sleep(1200)
seed.check("metrics are kept", productionPool:getMetrics().requestsPerSecond > 0)
productionPool:close()
