-- SPDX-License-Identifier: Apache-2.0
-- The seed document's datacentre-aware round robin: one remote host as fallback, never for LOCAL_ consistencies.
--   moonpool run --embedded 4 --dcs 2 examples/seed/06_dc_aware_round_robin.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local keyspace = seed.keyspace "myapp"
local dcAwarePool = moonpool.AdvancedConnectionPool {
  contactPoints = { seed.hosts[1], seed.hosts[2], seed.hosts[3] },
  localDataCenter = "datacenter1",

  loadBalancing = {
    policy = "DCAwareRoundRobinPolicy",
    usedHostsPerRemoteDc = 1, -- Use 1 host from remote DC as fallback
    allowRemoteDCsForLocalConsistencyLevel = false,
  },
}
assert(dcAwarePool:initialize())

local used, locals = 0, {}
for _, host in ipairs(dcAwarePool:getHosts()) do
  if host.datacenter == "datacenter2" and host.connections > 0 then used = used + 1 end
end
for number, node in ipairs(cluster:nodes()) do
  if node.dc == "datacenter1" then locals[#locals + 1] = number end
end
seed.check("one remote host is connected to", used == 1, used)

local by_host, by_dc = seed.read(dcAwarePool, 40, keyspace, { consistency = "ONE" })
seed.check("only the local datacentre answers", by_dc.datacenter1 == 40, by_dc.datacenter1)
for host, count in pairs(by_host) do seed.check("in turn: " .. host, count == 40 / #locals, count) end

for _, number in ipairs(locals) do cluster:kill(number) end
seed.eventually("they are down", function()
  local up = 0
  for _, host in ipairs(dcAwarePool:getHosts()) do up = up + (host.status == "up" and 1 or 0) end
  return up == 1
end)
local _, then_by_dc = seed.read(dcAwarePool, 10, keyspace, { consistency = "ONE" })
seed.check("the fallback answers", then_by_dc.datacenter2 == 10, then_by_dc.datacenter2)
local result, err = dcAwarePool:execute("SELECT name FROM myapp.items WHERE id = 1", nil, { consistency = "LOCAL_ONE" })
seed.check("but not for a local consistency", result == nil and err.code == "NO_HOST_AVAILABLE", err and err.code)
dcAwarePool:close()
