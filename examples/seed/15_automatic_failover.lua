-- SPDX-License-Identifier: Apache-2.0
-- The seed document's automatic failover.
--   moonpool run --embedded 3 examples/seed/15_automatic_failover.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local keyspace = seed.keyspace "myapp"
local resilientPool = moonpool.AdvancedConnectionPool {
  contactPoints = { seed.hosts[1], seed.hosts[2], seed.hosts[3] },
  localDataCenter = seed.dc,

  failover = {
    enabled = true,
    maxRetries = 3,
    retryDelay = 1000,
    backoffMultiplier = 2,

    -- Automatic host discovery
    autoDiscovery = true,
    discoveryInterval = 60000,
  },
}
assert(resilientPool:initialize())

-- Handle failover events
local events = {}
resilientPool:on("failover", function(event)
  print(("Failover: %s -> %s"):format(event.from, event.to))
  events[#events + 1] = event
end)

-- One node fails, then the next one it goes to, too: 1 s, then 2 s.
local rule = cluster:rule { statement = "twice", error = "OVERLOADED", times = 2 }
local began = moonpool.now()
local result = assert(resilientPool:execute(("SELECT name /* twice */ FROM %s.items WHERE id = 1"):format(keyspace)))
seed.check("it went on twice", result.info.attempts == 3, result.info.attempts)
seed.check("after the delays", moonpool.now() - began >= 3000, moonpool.now() - began)
rule:remove()
seed.eventually("it is told", function() return #events >= 1 end)
seed.check("from a host to another one", events[1].from ~= events[1].to and events[1].level == "host", events[1].to)

-- A node that joins is used.
local new = cluster:addNode()
seed.eventually("the new node is discovered", function() return #resilientPool:getHosts() == 4 end, 5000)
cluster:removeNode(new)
seed.eventually("and forgotten", function() return #resilientPool:getHosts() == 3 end, 10000)
resilientPool:close()
