-- SPDX-License-Identifier: Apache-2.0
-- The names of the seed document (its option keys, methods, events, result fields and policies): none is missing, inert
-- or undocumented, and each is at work in an example.
local change = require "moonpool.config.change"
local config = require "moonpool.config"
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local schema = require "moonpool.config.schema"
local support = require "spec.support.world"
local it_in = support.inside(it)

local function read(path)
  local pipe = assert(io.popen("cat " .. path:gsub("%S+", "'" .. MOONPOOL_ROOT .. "'/%0")))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local examples = read "examples/seed/[0-9]*.lua"
local manual = { options = read "docs/configuration.md" .. read "docs/policies.md", api = read "docs/lua-api.md" }

-- A section's keys behind its name; those that a policy takes are marked with its name.
local options = {
  [""] = { "contactPoints", "localDataCenter", "keyspace" },
  pooling = { "coreConnectionsPerHost", "maxConnectionsPerHost", "maxRequestsPerConnection", "heartBeatInterval",
    "warmup", "warmupTimeout", "idleTimeout", "connectionTimeout", "enableMetrics", "metricsInterval",
    "enableTcpNoDelay", "enableTcpKeepAlive", "enableBatching", "batchSize", "batchTimeout" },
  ["pooling.adaptivePooling"] = { "enabled", "minConnections", "maxConnections", "targetUtilization",
    "scaleUpThreshold", "scaleDownThreshold", "evaluationInterval" },
  healthCheck = { "enabled", "interval", "timeout", "query" },
  circuitBreaker = { "enabled", "failureThreshold", "recoveryTimeout", "halfOpenMaxCalls" },
  failover = { "enabled", "maxRetries", "retryDelay", "backoffMultiplier", "autoDiscovery", "discoveryInterval" },
  logging = { "level", "logConnections", "logRequests", "logErrors" },
}

local policy_options = {
  loadBalancing = { { "policy", "RoundRobinPolicy" }, { "policy", "DCAwareRoundRobinPolicy" },
    { "policy", "TokenAwarePolicy" }, { "childPolicy", "DCAwareRoundRobinPolicy", "TokenAwarePolicy" },
    { "usedHostsPerRemoteDc", 1, "DCAwareRoundRobinPolicy" },
    { "allowRemoteDCsForLocalConsistencyLevel", false, "DCAwareRoundRobinPolicy" },
    { "shuffleReplicas", true, "TokenAwarePolicy" } },
  retry = { { "policy", "DefaultRetryPolicy" }, { "maxRetries", 3, "DefaultRetryPolicy" },
    { "retryDelay", 1000, "DefaultRetryPolicy" } },
}

local methods = { "connect", "initialize", "close", "warmup", "on", "getStats", "getMetrics", "getHealthStatus",
  "preallocateConnections", "recoverConnection", "addNode", "removeNode", "getConnectionDetails", "analyzePerformance" }

local events = { "connectionAdded", "connectionRemoved", "connectionLost", "hostUp", "hostDown", "failover" }

local fields = {
  getStats = { "activeConnections", "idleConnections", "totalConnections", "requestsInFlight", "connectionErrors" },
  getMetrics = { "hostsUp", "hostsDown", "totalConnections", "activeConnections", "idleConnections",
    "requestsPerSecond", "averageLatency", "errorRate", "poolUtilization", "connectionTurnover" },
  getHealthStatus = { "overall", "hosts", "recommendations" },
  ["getHealthStatus.hosts"] = { "address", "status", "connections", "averageLatency", "errorRate" },
  ["getConnectionDetails."] = { "id", "host", "state", "inFlightRequests", "createdAt", "lastUsedAt" },
  analyzePerformance = { "bottlenecks", "recommendations", "avgConnectionTime", "avgRequestTime", "poolEfficiency" },
}

local call_options = { recoverConnection = { "maxAttempts", "backoffDelay" },
  removeNode = { "drainConnections", "drainTimeout" } }

local function rule_at(path)
  local keys, found = schema.keys, nil
  for part in path:gmatch "[^.]+" do
    found = nil
    for _, line in ipairs(keys) do
      if line[1] == part then found = type(line[2]) == "table" and line[2] or line end
    end
    if not found then return nil end
    keys = found.keys or {}
  end
  return found
end

local function is_used(word) return examples:find("%f[%w]" .. word .. "%f[%W]") ~= nil end

local function missing(list, check)
  local found = {}
  for _, name in ipairs(list) do
    local why = check(name)
    if why then found[#found + 1] = name .. ": " .. why end
  end
  assert.same({}, found)
end

describe("the contract's option keys", function()
  for section, keys in pairs(options) do
    it("are there, have an effect, are shown and documented: " .. (section == "" and "the first ones" or section),
      function()
        missing(keys, function(key)
          local path = section == "" and key or section .. "." .. key
          local rule = rule_at(path)
          if not rule then return "the schema does not have it" end
          if rule.refused then return "it is refused" end
          local at = change.live
          for part in path:gmatch "[^.]+" do at = type(at) == "table" and at[part] or nil end
          if not at and not change.fixed[path] then return "config/change.lua does not know it" end
          if not is_used(key) then return "no example has it" end
          local last = section:match "[^.]*$"
          local named = manual.options:find("`" .. key .. "`", 1, true)
            or manual.options:find("`" .. last .. "." .. key .. "`", 1, true)
            or manual.options:find("`" .. path .. "`", 1, true)
          if not named then return "docs/configuration.md does not name it" end
        end)
      end)
  end

  it("of policies are taken by their policies", function()
    for section, list in pairs(policy_options) do
      for _, case in ipairs(list) do
        local key, value, policy = case[1], case[2], case[3] or case[2]
        support.run({ nodes = 2, dcs = 2 }, function(world)
          local pool = world:pool { [section] = { policy = policy, [key] = value } }
          assert.equal(policy, pool:policies()[section == "retry" and "retry" or "balance"].name)
        end)
        assert.is_true(is_used(key), key .. ": no example has it")
        assert.is_true(is_used(policy), policy .. ": no example has it")
        assert.is_truthy(manual.options:find("`" .. (key == "policy" and policy or key) .. "`", 1, true), key)
      end
    end
  end)

  it("of regions are there", function()
    local checked = assert(config.check { contactPoints = { "a" }, regionSettings = {
      ["us-east-1"] = { maxConnections = 16, priority = 1 } } })
    assert.same({ { dc = "us-east-1", maxConnections = 16, priority = 1 } }, checked.regions)
    for _, key in ipairs { "regionSettings", "maxConnections", "priority" } do assert.is_true(is_used(key)) end
  end)

  it("are not the only ones with an effect: no key is accepted that does nothing", function()
    local function walk(keys, path)
      for _, line in ipairs(keys) do
        local rule = type(line[2]) == "table" and line[2] or line
        local works = rule.to or rule.keys or rule.kind == "options" or rule.refused or line.refused
        assert(works, path .. line[1] .. " is accepted and does nothing")
        if rule.keys then walk(rule.keys, path .. line[1] .. ".") end
      end
    end
    walk(schema.keys, "")
  end)

  it("come from the environment, too", function()
    for _, name in ipairs { "HOSTS", "DC", "KEYSPACE" } do assert.is_true(is_used("CASSANDRA_" .. name)) end
  end)
end)

describe("the contract's methods", function()
  it("are there, are shown and documented", function()
    missing(methods, function(name)
      if type(core.poolMethods[name]) ~= "function" then return "a pool does not have it" end
      if not examples:find(":" .. name .. "%f[%W]") then return "no example has it" end
      if not manual.api:find(name .. "%f[%W]") then return "docs/lua-api.md does not name it" end
    end)
  end)

  for method, list in pairs(call_options) do
    it("take their options: " .. method, function()
      missing(list, function(name)
        if not is_used(name) then return "no example has it" end
        if not manual.api:find(name, 1, true) then return "docs/lua-api.md does not name it" end
      end)
    end)
  end

  it_in("give the fields that the document reads, which are shown and documented", function(world)
    local pool = world:pool()
    for _ = 1, 20 do assert(pool:execute "SELECT key FROM system.local") end
    moonpool.sleep(2000)
    for key, list in pairs(fields) do
      local method, part = key:match "^(%w+)%.?(%w*)$"
      local value = assert(pool[method](pool))
      local where = part ~= "" and value[part][1] or key:find "%.$" and value[1] or value
      missing(list, function(name)
        if where[name] == nil and name ~= "lastUsedAt" then return method .. "() does not give it" end
        if not examples:find("%." .. name .. "%f[%W]") then return "no example has it" end
        if not manual.api:find("%f[%w]" .. name .. "%f[%W]") then return "docs/lua-api.md does not name it" end
      end)
    end
    local used = 0
    for _, connection in ipairs(pool:getConnectionDetails()) do used = used + (connection.lastUsedAt and 1 or 0) end
    assert.is_true(used > 0)
  end)
end)

describe("the contract's events", function()
  it("are there, are shown and documented", function()
    local known = {}
    for _, name in ipairs(core.eventNames()) do known[name] = true end
    missing(events, function(name)
      if not known[name] then return "there is no such event" end
      if not examples:find(':on("' .. name .. '"', 1, true) then return "no example has it" end
      if not manual.api:find("`" .. name .. "`", 1, true) then return "docs/lua-api.md does not name it" end
    end)
  end)
end)
