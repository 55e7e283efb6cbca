-- SPDX-License-Identifier: Apache-2.0
-- The seed document's token-aware policy: replicas answer, and share the load.
--   moonpool run --embedded 5 examples/seed/07_token_aware.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local keyspace = seed.keyspace "myapp"
local tokenAwarePool = moonpool.AdvancedConnectionPool {
  contactPoints = seed.hosts,
  localDataCenter = seed.dc,

  loadBalancing = {
    policy = "TokenAwarePolicy",
    childPolicy = "DCAwareRoundRobinPolicy", -- Fallback policy
    shuffleReplicas = true,
  },
}
assert(tokenAwarePool:initialize())

local select = assert(tokenAwarePool:prepare("SELECT name FROM " .. keyspace .. ".items WHERE id = ?"))
seed.know(tokenAwarePool, keyspace)

-- Of one partition: its replicas and nobody else answer, each of them sometimes.
local replicas, count = {}, 0
for _, place in ipairs(tokenAwarePool:explain({ keyspace = keyspace, routingKey = "\0\0\0\7" }).hosts) do
  if place.isReplica then replicas[place.host], count = 0, count + 1 end
end
for _ = 1, 60 do
  local host = assert(tokenAwarePool:execute(select, { 7 })).info.host
  seed.check("a replica answers", replicas[host], host)
  replicas[host] = replicas[host] + 1
end
for host, answers in pairs(replicas) do
  seed.check("the replica takes part: " .. host, count == 1 or answers > 5, answers)
end
tokenAwarePool:close()
