-- SPDX-License-Identifier: Apache-2.0
-- The seed document's high-throughput configuration: many connections, and writes that leave together.
--   moonpool run --embedded 3 examples/seed/13_high_throughput.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local keyspace = seed.keyspace "myapp"
local highThroughputPool = moonpool.AdvancedConnectionPool {
  contactPoints = seed.hosts,
  localDataCenter = seed.dc,

  pooling = {
    -- Maximize connections for high throughput
    coreConnectionsPerHost = { ["0"] = 8 },
    maxConnectionsPerHost = { ["0"] = 32 },
    maxRequestsPerConnection = 65536, -- clamped to the protocol's 32768, with a warning

    -- Aggressive connection management
    heartBeatInterval = 10000,
    idleTimeout = 60000,

    -- Batch operations
    enableBatching = true,
    batchSize = 100,
    batchTimeout = 10,
  },
}
assert(highThroughputPool:initialize())
for _, host in ipairs(highThroughputPool:getHosts()) do
  seed.check("the core connections of " .. host.address, host.connections == 8, host.connections)
  seed.check("the most connections of " .. host.address, host.maxConnections == 32, host.maxConnections)
end

-- Each caller gets its own answer; the writes of a moment leave as few batches.
local insert = assert(highThroughputPool:prepare("INSERT INTO " .. keyspace .. ".items (id, name) VALUES (?, ?)"))
seed.know(highThroughputPool, keyspace)
local before = highThroughputPool:getStats()
local futures = {}
for i = 1, 300 do
  futures[i] = highThroughputPool:executeAsync(insert, { 1000 + i, "written " .. i }, { isIdempotent = true })
end
assert(moonpool.all(futures))
local after = highThroughputPool:getStats()
seed.check("three hundred requests ended", after.requests - before.requests >= 300, after.requests - before.requests)
seed.check("in fewer messages", after.attempts - before.attempts < 150, after.attempts - before.attempts)
seed.check("as batches", after.mergedBatches > before.mergedBatches, after.mergedBatches)
for i = 1, 300, 37 do
  local row = assert(highThroughputPool:execute("SELECT name FROM " .. keyspace .. ".items WHERE id = ?",
    { 1000 + i }, { consistency = "QUORUM" })):first()
  seed.check("each is stored", row and row.name == "written " .. i, row and row.name)
end
highThroughputPool:close()
