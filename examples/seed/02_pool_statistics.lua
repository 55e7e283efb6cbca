-- SPDX-License-Identifier: Apache-2.0
-- The seed document's pool statistics.
--   moonpool run --embedded 3 examples/seed/02_pool_statistics.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local pool = moonpool.ConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  keyspace = seed.keyspace "myapp" }
assert(pool:connect())

local function show(stats)
  print("Pool Statistics:", stats.activeConnections, stats.idleConnections, stats.totalConnections,
    stats.requestsInFlight, stats.connectionErrors)
  return stats
end

local select = assert(pool:prepare "SELECT name FROM items WHERE id = ?")
local before = show(pool:getStats())
seed.check("nothing runs", before.requestsInFlight == 0 and before.activeConnections == 0, before.requestsInFlight)
seed.check("a connection to each host", before.totalConnections == #pool:getHosts(), before.totalConnections)
seed.check("all are idle", before.idleConnections == before.totalConnections, before.idleConnections)

local futures = {}
for i = 1, 20 do futures[i] = pool:executeAsync(select, { i }) end
local during = show(pool:getStats())
seed.check("twenty requests run", during.requestsInFlight == 20, during.requestsInFlight)
assert(moonpool.all(futures))
local after = show(pool:getStats())
seed.check("they have ended", after.requestsInFlight == 0, after.requestsInFlight)
seed.check("they are counted", after.requests - before.requests >= 20, after.requests)
seed.check("active and idle are all", after.activeConnections + after.idleConnections == after.totalConnections)

if seed.cluster then
  seed.cluster:kill(3)
  seed.eventually("the lost connection is counted", function() return pool:getStats().connectionErrors > 0 end)
  seed.eventually("it is gone", function() return pool:getStats().totalConnections == before.totalConnections - 1 end)
end
pool:close()
