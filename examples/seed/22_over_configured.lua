-- SPDX-License-Identifier: Apache-2.0
-- The seed document's configuration to avoid: precise warnings, and nonsense is refused.
--   moonpool run --embedded 1 examples/seed/22_over_configured.lua
local moonpool = require "moonpool"
local seed = dofile(debug.getinfo(1, "S").source:match "^@(.*/)" .. "support.lua")

-- Avoid: Over-configured pool
local config = require "moonpool.config"
local avoid = {
  contactPoints = seed.hosts,
  pooling = {
    maxConnectionsPerHost = { ["0"] = 1000 }, -- Too many connections
    heartBeatInterval = 1000, -- Too frequent
    idleTimeout = 1000, -- Too short
  },
}
local _, warnings = config.check(avoid)
for i, key in ipairs { "maxConnectionsPerHost", "heartBeatInterval", "idleTimeout" } do
  print(warnings[i])
  seed.check("a warning names " .. key, warnings[i] and warnings[i]:find(key, 1, true), warnings[i])
  seed.check("and what to use", warnings[i]:find "use %d+", warnings[i])
end
local overConfiguredPool = moonpool.AdvancedConnectionPool(avoid)
assert(overConfiguredPool:initialize())
overConfiguredPool:close()

for key, value in pairs { maxConnectionsPerHost = { ["0"] = -1 }, heartBeatInterval = "1s", idelTimeout = 1000 } do
  local nonsense = { contactPoints = seed.hosts, pooling = { [key] = value } }
  local ok, message = pcall(moonpool.AdvancedConnectionPool, nonsense)
  seed.check("nonsense is refused: " .. key, not ok and message:find("pooling." .. key, 1, true), message)
end
