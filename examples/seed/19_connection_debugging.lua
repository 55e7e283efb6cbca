-- SPDX-License-Identifier: Apache-2.0
-- The seed document's connection debugging.
--   moonpool run --embedded 1 examples/seed/19_connection_debugging.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

-- Enable detailed logging
local debugPool = moonpool.AdvancedConnectionPool {
  contactPoints = { seed.hosts[1] },
  localDataCenter = seed.dc,

  logging = {
    level = "debug",
    logConnections = true,
    logRequests = true,
    logErrors = true,
  },
}
assert(debugPool:initialize())
assert(debugPool:execute "SELECT release_version FROM system.local")
assert(not debugPool:execute "SELEC release_version FROM system.local") -- a line in the log

-- Get detailed connection info
local connectionInfo = debugPool:getConnectionDetails()
seed.check("every connection is shown", #connectionInfo == debugPool:getStats().totalConnections, #connectionInfo)
local used = 0
for _, conn in ipairs(connectionInfo) do
  print(("Connection %d:"):format(conn.id), conn.host, conn.state, conn.inFlightRequests, conn.createdAt,
    conn.lastUsedAt)
  seed.check("its host is one of the pool's", conn.host ~= "", conn.host)
  seed.check("it is ready", conn.state == "ready", conn.state)
  seed.check("nothing is in flight", conn.inFlightRequests == 0, conn.inFlightRequests)
  if conn.lastUsedAt then
    used = used + 1
    seed.check("it was used after it was made", conn.lastUsedAt >= conn.createdAt, conn.lastUsedAt)
  end
end
seed.check("two requests used one or two of them", used == 1 or used == 2, used)
debugPool:close()
