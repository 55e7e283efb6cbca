-- SPDX-License-Identifier: Apache-2.0
-- What a pool tells about itself.
--
--   moonpool run --embedded 3 examples/stats.lua      (or on a cluster of yours on 127.0.0.1)
local moonpool = require "moonpool"

local pool = moonpool.ConnectionPool { contactPoints = { '127.0.0.1' }, localDataCenter = 'datacenter1' }
assert(pool:connect())

-- Twenty requests at once, so that there is something to see.
local futures = {}
for i = 1, 20 do futures[i] = pool:executeAsync "SELECT release_version FROM system.local" end

local stats = pool:getStats()
print('Pool Statistics:')
for _, name in ipairs {
  'activeConnections',
  'idleConnections',
  'totalConnections',
  'requestsInFlight',
  'connectionErrors',
} do print('', name, stats[name]) end

assert(moonpool.all(futures))

local metrics = pool:getMetrics()
print('Connection Metrics:')
for _, name in ipairs {
  -- Per-host metrics
  'hostsUp', 'hostsDown',
  -- Connection metrics
  'totalConnections', 'activeConnections', 'idleConnections',
  -- Request metrics
  'requestsPerSecond', 'averageLatency', 'errorRate',
  -- Pool efficiency
  'poolUtilization', 'connectionTurnover',
} do print('', name, metrics[name]) end

local connectionInfo = pool:getConnectionDetails()
for _, conn in ipairs(connectionInfo) do
  print(('Connection %d:'):format(conn.id), conn.host, conn.state, conn.inFlightRequests, conn.createdAt,
    conn.lastUsedAt)
end

pool:close()
