-- SPDX-License-Identifier: Apache-2.0
-- Every key of a configuration as a table for the manual, made from what judges it (config/schema.lua) and what applies
-- it (config/change.lua). The defaults stand here, because they are the core's own; a spec holds them against it. After
-- a change of any of these:
--
--   LUA_PATH='lua/?.lua' luajit -e 'io.write(require("moonpool.config.reference").page())' > docs/options.md
local change_of = require "moonpool.config.change"
local schema = require "moonpool.config.schema"

local format = string.format

local reference = {}

-- As it would be written in a configuration; or, where there is no such value, in { words }.
reference.defaults = {
  ["pooling.coreConnectionsPerHost"] = '{ ["0"] = 1 }', ["pooling.maxConnectionsPerHost"] = '{ ["0"] = 2 }',
  ["pooling.maxRequestsPerConnection"] = "2048", ["pooling.heartBeatInterval"] = "30000",
  ["pooling.heartBeatTimeout"] = "2500", ["pooling.warmup"] = "true",
  ["pooling.warmupTimeout"] = { "connectionTimeout" }, ["pooling.idleTimeout"] = "120000",
  ["pooling.connectionTimeout"] = "5000", ["pooling.enableTcpNoDelay"] = "true",
  ["pooling.enableTcpKeepAlive"] = "true", ["pooling.tcpUserTimeout"] = "10000",
  ["pooling.reconnectBaseDelay"] = "500", ["pooling.reconnectMaxDelay"] = { "20000, remote 60000" },
  ["pooling.connectionsPerSecond"] = "50", ["pooling.enableMetrics"] = "true", ["pooling.metricsInterval"] = "10000",
  ["pooling.adaptivePooling.enabled"] = { "true where the section stands" },
  ["pooling.adaptivePooling.minConnections"] = { "1" },
  ["pooling.adaptivePooling.maxConnections"] = { "8, or minConnections" },
  ["pooling.adaptivePooling.targetUtilization"] = { "0.7" }, ["pooling.adaptivePooling.scaleUpThreshold"] = { "0.8" },
  ["pooling.adaptivePooling.scaleDownThreshold"] = { "0.3" },
  ["pooling.adaptivePooling.evaluationInterval"] = { "30000" },
  ["pooling.enableBatching"] = "false", ["pooling.batchSize"] = "100", ["pooling.batchTimeout"] = "0",
  contactPoints = '{ "127.0.0.1" }', port = "9042", addressTranslator = { "none" },
  localDataCenter = { "that of the first node that answers" }, localRack = { "none" }, keyspace = { "none" },
  ["auth.username"] = { "none" }, ["auth.password"] = { "none" }, ["auth.required"] = { "true" },
  ["auth.credentials"] = { "none" }, ["auth.authenticator"] = { "none" },
  ["tls.ca"] = { "the system's" }, ["tls.cert"] = { "none" }, ["tls.key"] = { "tls.cert" }, ["tls.crl"] = { "none" },
  ["tls.passphrase"] = { "none" }, ["tls.ciphers"] = { "those that OpenSSL thinks good" },
  ["tls.verify"] = { "true" }, ["tls.serverName"] = { "the contact point, or the address" },
  ["tls.identity"] = { '"name"' }, ["tls.minVersion"] = { '"1.2"' }, compression = '"none"',
  protocolVersion = { "the highest of both sides" },
  requestTimeout = "10000", attemptTimeout = { "half of the request's" }, maxQueuedRequests = "10000",
  clientTimestamps = "true", maxPreparedStatements = "1000", busyPollUs = "0",
  loadBalancing = '{ policy = "TokenAwarePolicy" }', ["loadBalancing.shadow"] = { "none" },
  ["loadBalancing.shadowShare"] = "0.01",
  retry = '{ policy = "DefaultRetryPolicy" }',
  reconnection = { "the pool's own backoff" }, speculativeExecution = { "never" }, policyPath = "{}",
  policyKeys = { "anybody's file is taken" },
  ["healthCheck.enabled"] = "false", ["healthCheck.interval"] = "30000", ["healthCheck.timeout"] = "5000",
  ["healthCheck.query"] = '"SELECT release_version FROM system.local"', ["circuitBreaker.enabled"] = "false",
  ["circuitBreaker.failureThreshold"] = "5", ["circuitBreaker.recoveryTimeout"] = "30000",
  ["circuitBreaker.halfOpenMaxCalls"] = "3",
  ["failover.enabled"] = "true", ["failover.maxRetries"] = { "no limit" }, ["failover.retryDelay"] = "0",
  ["failover.backoffMultiplier"] = "1", ["failover.autoDiscovery"] = "true",
  ["failover.discoveryInterval"] = "60000", ["failover.allowLocalConsistency"] = "false",
  ["failover.policy"] = { "home always serves" }, regionSettings = "{}", defaults = { "none" }, profiles = { "none" },
  ["logging.level"] = '"warn"',
  ["logging.logConnections"] = "false", ["logging.logRequests"] = "false", ["logging.logErrors"] = "false",
  ["logging.slowRequestMs"] = "0", ["logging.format"] = '"text"',
  ["logging.timestamps"] = { "false; true for logfmt, json" }, ["logging.to"] = '"stderr"',
  ["decisionLog.sample"] = { "0.01 where the section stands" }, ["decisionLog.file"] = { "none: in memory" },
  ["decisionLog.keep"] = { '"100MB"' },
  ["metrics.listen"] = { "nowhere" }, ["http.listen"] = { "nowhere" }, ["http.token"] = { "none" },
  handlers = { "none" },
  control = { "serve: $XDG_RUNTIME_DIR/moonpool.sock" }, controlEval = "false", playbooks = { "none" },
}

local KINDS = {
  addresses = "list of addresses", translator = "table or function", credentials = "function or path",
  authenticator = "table of functions", connections = "a number for each distance",
  options = "a policy and its options", choice = "a policy, or that and its options", path = "path",
  paths = "list of paths", regions = "table by datacentre",
  listen = "address or path", playbooks = "files and folders, and what they may do", boolean = "boolean",
  keys = "list of public keys", size = "bytes, or \"100MB\"",
  integer = "integer", number = "number", text = "text", defaults = "options of a request",
  profiles = "the same by name",
}

local function type_of(rule)
  if rule.unit then return rule.unit end
  if rule.among then return '"' .. table.concat(rule.among, '", "') .. '"' end
  return KINDS[rule.kind] or rule.kind
end

local function range_of(rule)
  if not rule.min then return rule.longest and format("up to %d bytes", rule.longest) or "" end
  local most = rule.clamp and rule.clamp[1] or rule.max
  return most and format("%s to %s", rule.min, most) or format("%s or more", rule.min)
end

-- Every key with its rule: fn(key, rule), in the schema's order.
function reference.each(fn)
  local function walk(keys, prefix)
    for _, line in ipairs(keys) do
      local rule, key = type(line[2]) == "table" and line[2] or line, prefix .. line[1]
      if rule.kind == "section" then
        if rule.policy then fn(key, { kind = "options" }) end
        walk(rule.keys, key .. ".")
        if rule.options and not rule.policy then fn(key .. ".policy", { kind = "options" }) end
      else
        fn(key, rule)
      end
    end
  end
  walk(schema.keys, "")
end

local function change_text(key)
  if change_of.fixed[key] then return "restart" end
  local at = change_of.live
  for part in key:gmatch "[^.]+" do
    if type(at) == "table" then at = at[part] end
  end
  return type(at) == "string" and at or "?"
end

local HEAD = [[
# All options

Every key of a configuration: its type, its default, its range, and what becomes of a new value while the pool runs.
What each of them means stands in [configuration.md](configuration.md), the options of policies in
[policies.md](policies.md). This page is made from the code (`lua/moonpool/config/reference.lua`), and a spec compares
them. Times are milliseconds.

| key | type | default | range | a new value |
|---|---|---|---|---|
]]

function reference.page()
  local lines = {}
  reference.each(function(key, rule)
    local default = reference.defaults[key]
    local shown = default == nil and "" or type(default) == "table" and default[1] or "`" .. default .. "`"
    lines[#lines + 1] = format("| `%s` | %s | %s | %s | %s |\n", key, type_of(rule), shown, range_of(rule),
      change_text(key))
  end)
  return HEAD .. table.concat(lines)
end

return reference
