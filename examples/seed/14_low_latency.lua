-- SPDX-License-Identifier: Apache-2.0
-- The seed document's low-latency configuration.
--   moonpool run --embedded 2 examples/seed/14_low_latency.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local lowLatencyPool = moonpool.AdvancedConnectionPool {
  contactPoints = seed.hosts,
  localDataCenter = seed.dc,

  pooling = {
    -- Optimize for low latency
    coreConnectionsPerHost = { ["0"] = 4 },
    maxConnectionsPerHost = { ["0"] = 8 },

    -- Keep connections warm
    warmup = true,
    idleTimeout = 300000, -- 5 minutes

    -- Fast connection establishment
    connectionTimeout = 2000,
    enableTcpNoDelay = true,
    enableTcpKeepAlive = true,
  },
}
assert(lowLatencyPool:initialize())
-- The first request finds its connections open.
local before = #lowLatencyPool:getConnectionDetails()
seed.check("four to each host", before == 4 * #lowLatencyPool:getHosts(), before)
local keyspace = seed.keyspace "myapp"
seed.read(lowLatencyPool, 40, keyspace)
seed.check("none had to be opened for it", #lowLatencyPool:getConnectionDetails() == before)
lowLatencyPool:close()

if seed.cluster then
  -- A node that takes connections and never speaks costs connectionTimeout, and does not keep the pool from starting.
  seed.cluster:pause(2)
  local began = moonpool.now()
  local slow = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
    pooling = { warmup = true, connectionTimeout = 2000 } }
  assert(slow:initialize())
  seed.check("it starts within connectionTimeout", moonpool.now() - began <= 2100, moonpool.now() - began)
  seed.cluster:resume(2)
  slow:close()
end
