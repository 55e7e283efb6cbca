-- SPDX-License-Identifier: Apache-2.0
-- The seed document's connection recovery, from inside of a handler.
--   moonpool run --embedded 2 examples/seed/16_connection_recovery.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

local cluster = seed.faults()
-- A pool that would not come back by itself for a long time.
local resilientPool = moonpool.AdvancedConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
  pooling = { reconnectBaseDelay = 600000, reconnectMaxDelay = 600000 } }
assert(resilientPool:initialize())

-- Automatic connection recovery
local recovered, failed
resilientPool:on("connectionLost", function(host)
  print(("Connection lost to %s, attempting recovery..."):format(host))

  -- Custom recovery logic
  local ok, err = resilientPool:recoverConnection(host, {
    maxAttempts = 5,
    backoffDelay = 200, -- the document has 2000
  })
  if ok then recovered = host else failed = err end
end)

local second = seed.host(resilientPool, 2).address
cluster:kill(2)
moonpool.sleep(300)
cluster:start(2)
seed.eventually("the handler brings it back", function() return recovered == second end)
seed.check("it is up", seed.host(resilientPool, 2).status == "up", seed.host(resilientPool, 2).status)

cluster:kill(2)
seed.eventually("a node that stays away is an error in the end", function() return failed end, 60000)
print(failed)
resilientPool:close()
