-- SPDX-License-Identifier: Apache-2.0
-- The seed document's dynamic pool sizing: the size follows the load, up at once and down after some intervals.
--   moonpool run --embedded 2 examples/seed/10_dynamic_pool_sizing.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local adaptivePool = moonpool.AdvancedConnectionPool {
  contactPoints = { seed.hosts[1], seed.hosts[2] },
  localDataCenter = seed.dc,

  pooling = {
    -- Dynamic sizing based on load
    adaptivePooling = {
      enabled = true,
      minConnections = 2,
      maxConnections = 20,
      targetUtilization = 0.7,
      scaleUpThreshold = 0.8,
      scaleDownThreshold = 0.3,
      evaluationInterval = 1000, -- the document has 30000, for which nobody waits here
    },
    maxRequestsPerConnection = 10, -- so that a small load is one
  },
}
local keyspace = seed.keyspace "myapp"
assert(adaptivePool:initialize())
local resizes = {}
adaptivePool:on("poolResize", function(event)
  print(("%s: %d -> %d connections: %s"):format(event.host, event.from, event.to, event.reason))
  resizes[#resizes + 1] = event
end)

local function sizes()
  local list = {}
  for i, host in ipairs(adaptivePool:getHosts()) do list[i] = host.connections end
  return math.min(unpack(list)), math.max(unpack(list))
end
local least, most = sizes()
seed.check("minConnections are open", least == 2 and most == 2, most)

cluster:rule { statement = "SELECT name", delay = 100 }
local failed = 0
local stop = seed.busy(120, function(number)
  local result = adaptivePool:execute(("SELECT name FROM %s.items WHERE id = %d"):format(keyspace, number % 30 + 1))
  if not result then failed = failed + 1 end
end)
seed.eventually("it grows with the load", function() return (sizes()) >= 8 end, 15000)
moonpool.sleep(1500)
least, most = sizes()
seed.check("no further than it must", least >= 8 and most <= 20, most)
stop()
seed.eventually("it shrinks without one", function()
  local _, now = sizes()
  return now == 2
end, 40000)
seed.check("no request failed by that", failed == 0, failed)
seed.check("each resize was told", #resizes == adaptivePool:getStats().poolResizes, #resizes)
adaptivePool:close()
