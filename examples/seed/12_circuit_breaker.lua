-- SPDX-License-Identifier: Apache-2.0
-- The seed document's circuit breaker.
--   moonpool run --embedded 2 examples/seed/12_circuit_breaker.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
local resilientPool = moonpool.AdvancedConnectionPool {
  contactPoints = { seed.hosts[1], seed.hosts[2] },
  localDataCenter = seed.dc,

  circuitBreaker = {
    enabled = true,
    failureThreshold = 5,
    recoveryTimeout = 3000, -- the document has 30000, for which nobody waits here
    halfOpenMaxCalls = 3,
  },
}
local keyspace = seed.keyspace "myapp"
assert(resilientPool:initialize())
local told = {}
for _, name in ipairs { "breakerOpen", "breakerHalfOpen", "breakerClose" } do
  resilientPool:on(name, function(host)
    print(name, host)
    told[#told + 1] = name .. " " .. host
  end)
end

local second = seed.host(resilientPool, 2).address
local function breaker() return seed.host(resilientPool, 2).breaker end
seed.check("it is closed", breaker() == "closed", breaker())

-- The node answers, but only with errors.
local rule = cluster:rule { node = 2, statement = "SELECT name", error = "OVERLOADED" }
local function ask(count)
  for i = 1, count do
    assert(resilientPool:execute(("SELECT name FROM %s.items WHERE id = %d"):format(keyspace, i % 30 + 1)))
  end
end
ask(30)
seed.check("it is open", breaker() == "open", breaker())
local hits = rule:hits()
seed.check("after so many failures", hits == 5, hits)
ask(30)
seed.check("the host is spared", rule:hits() == hits, rule:hits())

rule:remove()
seed.eventually("it is tried again", function()
  ask(4)
  return breaker() == "closed"
end)
seed.eventually("all of it is told", function() return #told >= 3 end)
for i, name in ipairs { "breakerOpen", "breakerHalfOpen", "breakerClose" } do
  seed.check(name .. " is told", told[i] == name .. " " .. second, told[i])
end
resilientPool:close()
