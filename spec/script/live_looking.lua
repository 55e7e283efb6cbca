-- SPDX-License-Identifier: Apache-2.0
-- The keys by which a pool is looked at and that change under it, for spec/script/config_live_spec.lua: key, what the
-- configuration has before and after, and the proof.

local moonpool = require "moonpool"
local unix = require "spec.support.unix"

-- Of the first host, once it is what is waited for.
local function probe(world, pool, what, is, limit_ms)
  world:eventually(what, function()
    local found = pool:getHealthStatus().hosts[1].probe
    return found and is(found)
  end, limit_ms)
end

local function any() return true end

-- A line of the log that a request makes now.
local function line_of(pool, cql)
  return (unix.said_by(function() pool:execute(cql or "SELECT key FROM system.local") end))
end

-- With busted's assert.
return function(assert) return {
  { "logging.logRequests", {}, { logging = { level = "error", logRequests = true } },
    function(_, pool) assert.matches("request: ", line_of(pool)) end },
  { "logging.logErrors", {}, { logging = { level = "error", logErrors = true } },
    function(_, pool) assert.matches("request failed: SYNTAX_ERROR", line_of(pool, "SELECT nonsense FROM")) end },
  { "logging.logConnections", {}, { logging = { level = "error", logConnections = true } },
    function(world, pool)
      assert.matches("connection lost", (unix.said_by(function()
        world.sim:cut(1)
        moonpool.sleep(500)
        world:waitUp(pool)
      end)))
    end },
  { "logging.slowRequestMs", {}, { logging = { level = "error", slowRequestMs = 1 } },
    function(world, pool)
      world.cluster:rule { statement = "system.local", delay = 10 }
      assert.matches("slow request: ", line_of(pool))
    end },
  { "logging.format", { logging = { level = "error", logRequests = true } },
    { logging = { level = "error", logRequests = true, format = "logfmt" } },
    function(_, pool) assert.matches("event=request ", line_of(pool)) end },
  { "logging.timestamps", { logging = { level = "error", logRequests = true } },
    { logging = { level = "error", logRequests = true, timestamps = true } },
    function(_, pool) assert.matches("info: %d+%-%d+%-%d+T", line_of(pool)) end },
  { "decisionLog.sample", {}, { decisionLog = { sample = 1 } },
    function(_, pool)
      assert(pool:execute "SELECT key FROM system.local")
      assert.is_true(#pool:decisions() > 0) -- others ask, too
    end },
  { "logging.to", { logging = { level = "error", logRequests = true } },
    { logging = { level = "error", logRequests = true, to = "journal" } },
    function(_, pool)
      local journal = require("spec.script.datagrams").open "MOONPOOL_JOURNAL"
      local said = line_of(pool)
      local line = journal:take()
      journal:close()
      assert.equal("", said)
      assert.matches("MOONPOOL_EVENT=request\n", line, 1, true)
    end },
  { "playbooks", {}, { playbooks = { MOONPOOL_ROOT .. "/examples/playbooks/lost_node.lua" } },
    function(world, pool)
      world:eventually("it is there", function() return #pool:playbooks() == 1 end)
    end },
  { "controlEval", { logging = { level = "error" } }, { logging = { level = "error" }, controlEval = true },
    function(_, pool)
      local answer = require("moonpool.cli.control").answer '{"verb":"eval","argument":"1 + 1"}'
      assert.matches('"values":%[2%]', answer)
      assert.is_true(pool:getMetrics().hostsUp > 0)
    end },
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
