-- SPDX-License-Identifier: Apache-2.0
-- The seed document's round robin policy.
--   moonpool run --embedded 3 examples/seed/05_round_robin.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local roundRobinPool = moonpool.AdvancedConnectionPool {
  contactPoints = seed.hosts,
  localDataCenter = seed.dc,

  loadBalancing = {
    policy = "RoundRobinPolicy",
  },
}
local keyspace = seed.keyspace "myapp"
assert(roundRobinPool:initialize())

local by_host = seed.read(roundRobinPool, 90, keyspace)
local hosts = 0
for host, count in pairs(by_host) do
  hosts = hosts + 1
  local off = math.abs(count - 90 / #roundRobinPool:getHosts())
  seed.check("the share of " .. host, off <= (seed.cluster and 2 or 15), count)
end
seed.check("every host takes part", hosts == #roundRobinPool:getHosts(), hosts)
roundRobinPool:close()
