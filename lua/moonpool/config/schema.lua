-- SPDX-License-Identifier: Apache-2.0
-- Every key of a configuration, in the order messages follow. `to` is the key of the flat table that C reads (script/
-- config.c).
--
-- How a new value of a key reaches a pool that runs: config/change.lua.
--
-- Kinds: integer (min, max, unit), number (min, max), boolean, text (among), path and paths (relative to the file that
-- names them), size (bytes, also as "100MB"), addresses, connections (a number for each distance), options (a policy
-- and what it takes), choice (the same, or the policy's name alone), listen (an IP address with a port, or a path),
-- credentials (a function or a path), authenticator (functions by name), section (keys; `options`: beside them there
-- may be a policy with what it takes; `policy`: and there is, that one when none is named).
local DAY_MS = 86400000

local function ms(fields)
  fields.kind, fields.unit, fields.max = "integer", "milliseconds", fields.max or DAY_MS
  fields.min = fields.min or 0
  return fields
end

local function section(keys)
  return { kind = "section", keys = keys }
end

local pooling = section {
  { "coreConnectionsPerHost", kind = "connections", to = "core", min = 0, max = 4096, many = 128 },
  { "maxConnectionsPerHost", kind = "connections", to = "max", min = 1, max = 4096, many = 128 },
  { "maxRequestsPerConnection", kind = "integer", min = 1, max = 2147483647, to = "maxRequests",
    clamp = { 32768, "is more than the protocol's 32768 stream ids; 32768 is used" } },
  { "heartBeatInterval", ms { to = "heartbeatInterval",
    low = { 5000, "is too frequent: it loads each connection and finds a dead node no sooner; use 15000 to 60000" } } },
  { "heartBeatTimeout", ms { min = 1, to = "heartbeatTimeout" } },
  { "warmup", kind = "boolean", to = "warmup" },
  { "warmupTimeout", ms { min = 1, to = "warmupTimeout" } },
  { "idleTimeout", ms { to = "idleTimeout",
    low = { 10000, "is too short: connections would be closed and opened all the time; use 60000 or more" } } },
  { "connectionTimeout", ms { min = 1, to = "connectTimeout" } },
  { "enableTcpNoDelay", kind = "boolean", to = "tcpNoDelay" },
  { "enableTcpKeepAlive", kind = "boolean", to = "tcpKeepAlive" },
  { "tcpUserTimeout", ms { to = "tcpUserTimeout" } },
  { "reconnectBaseDelay", ms { min = 1, to = "reconnectBase" } },
  { "reconnectMaxDelay", ms { min = 1, to = "reconnectMax" } },
  { "connectionsPerSecond", kind = "integer", min = 0, max = 1000000, to = "connectsPerSecond" },
  { "enableMetrics", kind = "boolean", to = "metrics" },
  { "metricsInterval", ms { min = 100, max = 3600000, to = "metricsInterval" } },
  { "adaptivePooling", section({
    { "enabled", kind = "boolean", to = "adaptive" },
    { "minConnections", kind = "integer", min = 1, max = 4096, to = "adaptiveMin" },
    { "maxConnections", kind = "integer", min = 1, max = 4096, to = "adaptiveMax" },
    { "targetUtilization", kind = "number", min = 0, max = 1, to = "adaptiveTarget" },
    { "scaleUpThreshold", kind = "number", min = 0, max = 1, to = "adaptiveUp" },
    { "scaleDownThreshold", kind = "number", min = 0, max = 1, to = "adaptiveDown" },
    { "evaluationInterval", ms { min = 20, to = "adaptiveInterval",
      low = { 1000, "is too short to tell a load from its noise; use 5000 or more" } } },
  }) },
  { "enableBatching", kind = "boolean", to = "batching" },
  { "batchSize", kind = "integer", min = 2, max = 65535, to = "batchSize" },
  { "batchTimeout", ms { max = 10000, to = "batchTimeout" } },
}

return section {
  { "contactPoints", kind = "addresses", to = "contactPoints" },
  { "port", kind = "integer", min = 1, max = 65535, to = "port" },
  { "addressTranslator", kind = "translator", to = "addressTranslator" },
  { "localDataCenter", kind = "text", to = "localDataCenter" },
  { "localRack", kind = "text", to = "localRack" },
  { "keyspace", kind = "text", to = "keyspace", pattern = "^[%w_]+$", longest = 48,
    allowed = "must be the name of a keyspace: letters, digits and _, at most 48" },
  { "auth", section {
    { "username", kind = "text", to = "username", needs = "password" },
    { "password", kind = "text", to = "password", needs = "username", empty = true },
    { "credentials", kind = "credentials", to = "credentials" },
    { "authenticator", kind = "authenticator", to = "authenticator" },
    { "required", kind = "boolean", to = "authRequired" },
  } },
  { "tls", section {
    { "ca", kind = "path", to = "tlsCa" },
    { "cert", kind = "path", to = "tlsCert" },
    { "key", kind = "path", to = "tlsKey", needs = "cert" },
    { "passphrase", kind = "text", to = "tlsPassphrase", needs = "cert", longest = 1000 },
    { "crl", kind = "path", to = "tlsCrl" },
    { "verify", kind = "boolean", to = "tlsVerify" },
    { "serverName", kind = "text", to = "tlsServerName", longest = 253, pattern = "^[%w%._:-]+$",
      allowed = "must be the name or the address that certificates are for" },
    { "identity", kind = "text", among = { "name", "address", "hostId" }, to = "tlsIdentity" },
    { "minVersion", kind = "text", among = { "1.2", "1.3" }, to = "tlsMinVersion" },
    { "ciphers", kind = "text", to = "tlsCiphers", longest = 1000, pattern = "^[%w_+-]+[%w_:+-]*$",
      allowed = "must be names of cipher suites as OpenSSL has them, with ':' between them" },
  } },
  { "compression", kind = "text", among = { "none", "lz4", "snappy" }, to = "compression" },
  { "protocolVersion", kind = "integer", min = 3, max = 5, to = "protocolVersion" },
  { "requestTimeout", ms { min = 1, to = "requestTimeout" } },
  { "attemptTimeout", ms { min = 1, to = "attemptTimeout" } },
  { "maxQueuedRequests", kind = "integer", min = 0, max = 10000000, to = "maxQueued" },
  { "clientTimestamps", kind = "boolean", to = "clientTimestamps" },
  { "maxPreparedStatements", kind = "integer", min = 1, max = 1000000, to = "preparedMax" },
  { "busyPollUs", kind = "integer", min = 0, max = 100000, to = "busyPollUs" },
  { "pooling", pooling },
  { "loadBalancing", { kind = "section", options = "balance", policy = "TokenAwarePolicy", keys = {
    { "shadow", kind = "choice", to = "shadow" },
    { "shadowShare", kind = "number", min = 0, max = 1, to = "shadowShare" },
  } } },
  { "retry", kind = "options", to = "retry", policy = "DefaultRetryPolicy" },
  { "reconnection", kind = "options", to = "reconnect", policy = "ExponentialReconnectionPolicy" },
  { "speculativeExecution", kind = "options", to = "speculate", policy = "ConstantSpeculativeExecutionPolicy" },
  { "policyPath", kind = "paths", to = "policyPath" },
  { "policyKeys", kind = "keys", to = "policyKeys" },
  { "healthCheck", section {
    { "enabled", kind = "boolean", to = "healthEnabled" },
    { "interval", ms { min = 1, to = "healthInterval",
      low = { 1000, "is too frequent: each host is asked so often, beside its requests; use 5000 or more" } } },
    { "timeout", ms { min = 1, to = "healthTimeout" } },
    { "query", kind = "text", to = "healthQuery" },
  } },
  { "circuitBreaker", section {
    { "enabled", kind = "boolean", to = "breakerEnabled" },
    { "failureThreshold", kind = "integer", min = 1, max = 1000000, to = "breakerThreshold" },
    { "recoveryTimeout", ms { min = 1, to = "breakerRecovery" } },
    { "halfOpenMaxCalls", kind = "integer", min = 1, max = 1000000, to = "breakerTrials" },
  } },
  { "failover", { kind = "section", options = "failover", keys = {
    { "enabled", kind = "boolean", to = "failoverEnabled" },
    { "maxRetries", kind = "integer", min = 0, max = 1000, to = "failoverMaxRetries" },
    { "retryDelay", ms { to = "failoverRetryDelay" } },
    { "backoffMultiplier", kind = "number", min = 1, max = 1000, to = "failoverBackoff" },
    { "autoDiscovery", kind = "boolean", to = "autoDiscovery" },
    { "discoveryInterval", ms { to = "discoveryInterval",
      low = { 1000, "is too frequent: every refresh reads the whole topology; use 10000 or more" } } },
    { "allowLocalConsistency", kind = "boolean", to = "failoverAllowLocal" },
  } } },
  { "regionSettings", kind = "regions", to = "regions" },
  { "defaults", kind = "defaults", to = "defaults" },
  { "profiles", kind = "profiles", to = "profiles" },
  { "logging", section {
    { "level", kind = "text", among = { "error", "warn", "info", "debug", "off" }, to = "logLevel" },
    { "logConnections", kind = "boolean", to = "logConnections" },
    { "logRequests", kind = "boolean", to = "logRequests" },
    { "logErrors", kind = "boolean", to = "logErrors" },
    { "slowRequestMs", ms { to = "slowRequestMs" } },
    { "format", kind = "text", among = { "text", "logfmt", "json" }, to = "logFormat" },
    { "timestamps", kind = "boolean", to = "logTimestamps" },
    { "to", kind = "text", among = { "stderr", "syslog", "journal" }, to = "logTo" },
  } },
  { "decisionLog", section {
    { "sample", kind = "number", min = 0, max = 1, to = "decisionSample" },
    { "file", kind = "path", to = "decisionFile" },
    { "keep", kind = "size", min = 65536, max = 1e15, to = "decisionKeep" },
  } },
  { "metrics", section {
    { "listen", kind = "listen", to = "metricsListen" },
  } },
  { "http", section {
    { "listen", kind = "listen", to = "httpListen" },
    { "token", kind = "text", to = "httpToken", needs = "listen", longest = 256,
      pattern = "^" .. ("[%w%p]"):rep(16) .. "[%w%p]*$",
      allowed = "must be a text of 16 to 256 letters, digits and signs, without spaces" },
  } },
  { "handlers", kind = "path", to = "handlers" },
  { "control", kind = "path", to = "control" },
  { "controlEval", kind = "boolean", to = "controlEval" },
  { "playbooks", kind = "playbooks", to = "playbooks" },
}
