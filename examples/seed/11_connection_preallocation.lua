-- SPDX-License-Identifier: Apache-2.0
-- The seed document's preallocation.
--   moonpool run --embedded 3 examples/seed/11_connection_preallocation.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local advancedPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  pooling = { maxConnectionsPerHost = { ["0"] = 16 } } }
assert(advancedPool:initialize())

-- Preallocate connections for predictable workloads
local names = { seed.hosts[1], seed.hosts[2] or seed.hosts[1], seed.hosts[3] or seed.hosts[1] }
local reached, short = advancedPool:preallocateConnections {
  [names[3]] = 4,
  [names[2]] = 8,
  [names[1]] = 8,
}
seed.check("nothing falls short", short == nil, short)
for name, connections in pairs(reached) do print(name, connections) end
seed.check("the first has eight", reached[names[1]] == 8 and seed.host(advancedPool, 1).connections == 8)
if #seed.hosts >= 3 then
  seed.check("the third has four", reached[names[3]] == 4 and seed.host(advancedPool, 3).connections == 4)
end
seed.check("never more than the maximum", advancedPool:preallocateConnections { [names[1]] = 99 }[names[1]] == 16)
advancedPool:close()
