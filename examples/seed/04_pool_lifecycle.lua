-- SPDX-License-Identifier: Apache-2.0
-- The seed document's lifecycle: warm up, and what happens to hosts and connections.
--   moonpool run --embedded 3 examples/seed/04_pool_lifecycle.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local advancedPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  pooling = { coreConnectionsPerHost = { ["0"] = 2 }, reconnectBaseDelay = 100, reconnectMaxDelay = 500 } }

local told = { added = {}, removed = {}, down = {}, up = {} }

-- Monitor pool health
advancedPool:on("connectionAdded", function(host)
  print(("Connection added to %s"):format(host))
  told.added[host] = (told.added[host] or 0) + 1
end)
advancedPool:on("connectionRemoved", function(host)
  print(("Connection removed from %s"):format(host))
  told.removed[host] = (told.removed[host] or 0) + 1
end)
advancedPool:on("hostDown", function(host)
  print(("Host %s is down"):format(host))
  told.down[#told.down + 1] = host
end)
advancedPool:on("hostUp", function(host)
  print(("Host %s is back up"):format(host))
  told.up[#told.up + 1] = host
end)

-- Initialize pool
assert(advancedPool:initialize())

-- Warm up connections
local reached = assert(advancedPool:warmup())
for host, connections in pairs(reached) do seed.check("warm connections to " .. host, connections == 2, connections) end
seed.eventually("each connection is told", function() return seed.sum(told.added) == 6 end)

local second = seed.host(advancedPool, 2).address
cluster:kill(2)
seed.eventually("the host is down", function() return told.down[1] == second end)
seed.eventually("its connections are gone", function() return told.removed[second] == 2 end)
cluster:start(2)
seed.eventually("the host is back", function() return told.up[#told.up] == second and #told.up == 4 end)
seed.eventually("its connections are back", function() return told.added[second] == 4 end)
for host, count in pairs(told.added) do
  local stands = count - (told.removed[host] or 0)
  seed.check("added minus removed is what stands at " .. host, stands == 2, stands)
end
advancedPool:close()
