-- SPDX-License-Identifier: Apache-2.0
-- The seed document's multi-region setup; datacentre1 is its us-east-1, and so on.
--   moonpool run --embedded 9 --dcs 3 examples/seed/18_multi_region.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local east, west, europe = "datacenter1", "datacenter2", "datacenter3"
local keyspace = seed.keyspace "myapp"
local function node_of(dc)
  for number, node in ipairs(cluster:nodes()) do
    if node.dc == dc then return seed.hosts[number] end
  end
end

local multiRegionPool = moonpool.AdvancedConnectionPool {
  contactPoints = { node_of(east), node_of(west), node_of(europe) },
  localDataCenter = east,

  loadBalancing = {
    policy = "DCAwareRoundRobinPolicy",
    usedHostsPerRemoteDc = 2,
  },

  -- Region-specific settings
  regionSettings = {
    [east] = { maxConnections = 16, priority = 1 },
    [west] = { maxConnections = 8, priority = 2 },
    [europe] = { maxConnections = 4, priority = 3 },
  },
  pooling = { maxRequestsPerConnection = 2 }, -- so that a small load is one
  requestTimeout = 20000, attemptTimeout = 20000,
}
assert(multiRegionPool:initialize())

local used = {}
for _, host in ipairs(multiRegionPool:getHosts()) do
  if host.connections > 0 then used[host.datacenter] = (used[host.datacenter] or 0) + 1 end
end
seed.check("all local hosts and two of each other region", used[east] == 3 and used[west] == 2 and used[europe] == 2,
  used[west])

-- Under load each host gets as many connections as its region allows.
cluster:rule { statement = "busy", delay = 300 }
local most, hosts = {}, {}
for _, host in ipairs(multiRegionPool:getHosts()) do
  if host.connections > 0 then hosts[#hosts + 1] = host.address end
end
local stop = seed.busy(40 * #hosts, function(number)
  local options = { host = hosts[number % #hosts + 1] }
  assert(multiRegionPool:execute("SELECT key /* busy */ FROM system.local", nil, options))
end)
for _ = 1, 40 do
  moonpool.sleep(50)
  for _, host in ipairs(multiRegionPool:getHosts()) do
    most[host.datacenter] = math.max(most[host.datacenter] or 0, host.connections)
  end
end
stop()
seed.check("16 in the east", most[east] == 16, most[east])
seed.check("8 in the west", most[west] == 8, most[west])
seed.check("4 in Europe", most[europe] == 4, most[europe])

-- Without the local region its nearest one answers.
for number, node in ipairs(cluster:nodes()) do
  if node.dc == east then cluster:kill(number) end
end
seed.eventually("the local region is down", function()
  local up = 0
  for _, host in ipairs(multiRegionPool:getHosts()) do
    if host.datacenter == east and host.status == "up" then up = up + 1 end
  end
  return up == 0
end)
local _, by_dc = seed.read(multiRegionPool, 10, keyspace, { consistency = "ONE" })
seed.check("the region of priority 2 answers", by_dc[west] == 10, by_dc[west])
multiRegionPool:close()
