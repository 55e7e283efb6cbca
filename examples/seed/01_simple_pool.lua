-- SPDX-License-Identifier: Apache-2.0
-- The seed document's simple pool.
--   moonpool run --embedded 3 examples/seed/01_simple_pool.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local pool = moonpool.ConnectionPool {
  contactPoints = { seed.hosts[1], seed.hosts[2] },
  localDataCenter = seed.dc,
  keyspace = seed.keyspace "myapp",

  -- Basic pool settings
  pooling = {
    coreConnectionsPerHost = { ["0"] = 2, ["1"] = 1 },
    maxConnectionsPerHost = { ["0"] = 8, ["1"] = 2 },
    maxRequestsPerConnection = 32768,
    heartBeatInterval = 30000,
  },
}
assert(pool:connect())

for _, host in ipairs(pool:getHosts()) do
  seed.check("the core connections of " .. host.address, host.connections == 2, host.connections)
  seed.check("the most connections of " .. host.address, host.maxConnections == 8, host.maxConnections)
end
-- Thousands of requests at a time fit into few connections: each has 32768 stream ids.
local futures = {}
for i = 1, seed.cluster and 3000 or 500 do
  futures[i] = pool:executeAsync("SELECT name FROM items WHERE id = ?", { i % 30 + 1 })
end
local results = assert(moonpool.all(futures))
for i, result in ipairs(results) do
  seed.check("the answer of request " .. i, result:first().name == "item " .. i % 30 + 1)
end
pool:close()
