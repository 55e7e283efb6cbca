-- SPDX-License-Identifier: Apache-2.0
-- The seed document's horizontal scaling: nodes are added and removed while requests run.
--   moonpool run --embedded 3 examples/seed/17_horizontal_scaling.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local keyspace = seed.keyspace "myapp"
-- Discovery is off, so that the pool knows only the nodes that it is told.
local advancedPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  failover = { autoDiscovery = false } }
assert(advancedPool:initialize())
local select = assert(advancedPool:prepare("SELECT name FROM " .. keyspace .. ".items WHERE id = ?"))
local failed = 0
local stop = seed.busy(20, function(number)
  if not advancedPool:execute(select, { number }) then failed = failed + 1 end
end)

-- Add nodes dynamically
local number = cluster:addNode()
local address = cluster:node(number).address .. ":" .. (cluster.port or 9042)
assert(advancedPool:addNode(address))
seed.eventually("the new node serves", function()
  for _, host in ipairs(advancedPool:getHosts()) do
    if host.address == address then return host.status == "up" end
  end
end)

-- Remove nodes gracefully
assert(advancedPool:removeNode(seed.hosts[3], {
  drainConnections = true,
  drainTimeout = 30000,
}))
seed.check("it is not used any more", not seed.host(advancedPool, 3) or seed.host(advancedPool, 3).connections == 0)
moonpool.sleep(200)
stop()
seed.check("no request was lost", failed == 0, failed)
advancedPool:close()
