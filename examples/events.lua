-- SPDX-License-Identifier: Apache-2.0
-- A pool that tells what happens to it, and on an embedded cluster something does.
--
--   moonpool run --embedded 3 examples/events.lua      (or on a cluster of yours on 127.0.0.1)
local moonpool = require "moonpool"
local AdvancedConnectionPool = moonpool.AdvancedConnectionPool

local advancedPool = AdvancedConnectionPool {
  contactPoints = { '127.0.0.1' },
  localDataCenter = 'datacenter1',
}

-- Initialize pool
assert(advancedPool:initialize())

-- Monitor pool health
advancedPool:on('connectionAdded', function(host)
  print(('Connection added to %s'):format(host))
end)

advancedPool:on('connectionRemoved', function(host)
  print(('Connection removed from %s'):format(host))
end)

advancedPool:on('hostDown', function(host)
  print(('Host %s is down'):format(host))
end)

advancedPool:on('hostUp', function(host)
  print(('Host %s is back up'):format(host))
end)

-- Handle failover events
advancedPool:on('failover', function(event)
  print(('Failover: %s -> %s'):format(event.from, event.to))
end)

if moonpool.embedded then
  moonpool.embedded:kill(3)
  for _ = 1, 10 do assert(advancedPool:execute("SELECT release_version FROM system.local")) end
  moonpool.sleep(500)
  moonpool.embedded:start(3)
  moonpool.sleep(2000)
end

advancedPool:close()
