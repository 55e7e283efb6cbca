-- SPDX-License-Identifier: Apache-2.0
-- The keys by which a pool is looked at and that change under it, for spec/script/config_live_spec.lua: key, what the
-- configuration has before and after, and the proof.

-- Of the first host, once it is what is waited for.
local function probe(world, pool, what, is, limit_ms)
  world:eventually(what, function()
    local found = pool:getHealthStatus().hosts[1].probe
    return found and is(found)
  end, limit_ms)
end

local function any() return true end

-- With busted's assert.
return function(_) return {
  { "healthCheck.enabled", {}, { healthCheck = { enabled = true, interval = 1000 } },
    function(world, pool) probe(world, pool, "it asks", any) end },
  { "healthCheck.interval", { healthCheck = { enabled = true, interval = 3600000 } },
    { healthCheck = { enabled = true, interval = 1000 } },
    function(world, pool) probe(world, pool, "it asks", any) end },
  { "healthCheck.timeout", { healthCheck = { enabled = true, interval = 1000, timeout = 60000 } },
    { healthCheck = { enabled = true, interval = 1000, timeout = 300 } },
    function(world, pool)
      world.cluster:rule { statement = "SELECT release_version FROM system.local", swallow = true }
      probe(world, pool, "it fails", function(found) return found.error == "no answer within 300 ms" end, 70000)
    end },
  { "healthCheck.query", { healthCheck = { enabled = true, interval = 1000 } },
    { healthCheck = { enabled = true, interval = 1000, query = "SELECT nonsense" } },
    function(world, pool)
      probe(world, pool, "it fails", function(found) return found.error == "SYNTAX_ERROR" end)
    end },
} end
