-- SPDX-License-Identifier: Apache-2.0
-- What becomes of each key of a configuration (config/schema.lua) whose file changes under a running pool: how a new
-- value is applied, or why it cannot be and what to do. A key without a line here is refused, and a spec fails.
local AT_ONCE = "at once"
local NEXT = "from the next request"
local NEW = "to new connections"
local AFTER_NEXT = "from the next failure of a host"
local ROTATE = "connections are replaced one by one"
local CONNECT = "when a pool connects that did not yet"
local WARMUP = "from the next warmup() on"
local EVALUATION = "at the end of the interval"

local change = {}

change.live = {
  pooling = {
    coreConnectionsPerHost = AT_ONCE, maxConnectionsPerHost = AT_ONCE, maxRequestsPerConnection = ROTATE,
    heartBeatInterval = AT_ONCE, heartBeatTimeout = AT_ONCE, warmup = CONNECT, warmupTimeout = WARMUP,
    idleTimeout = AT_ONCE, connectionTimeout = NEW, enableTcpNoDelay = ROTATE, enableTcpKeepAlive = ROTATE,
    tcpUserTimeout = ROTATE, reconnectBaseDelay = AFTER_NEXT, reconnectMaxDelay = AFTER_NEXT,
    connectionsPerSecond = AT_ONCE, enableMetrics = AT_ONCE, metricsInterval = AT_ONCE,
    adaptivePooling = {
      enabled = AT_ONCE, minConnections = AT_ONCE, maxConnections = AT_ONCE, targetUtilization = EVALUATION,
      scaleUpThreshold = EVALUATION, scaleDownThreshold = EVALUATION, evaluationInterval = AT_ONCE,
    },
    enableBatching = NEXT, batchSize = NEXT, batchTimeout = NEXT,
  },
  contactPoints = "the next time contact points are needed",
  addressTranslator = AT_ONCE,
  localRack = AT_ONCE,
  auth = { username = ROTATE, password = ROTATE, credentials = ROTATE, authenticator = ROTATE, required = ROTATE },
  tls = {
    ca = ROTATE, cert = ROTATE, key = ROTATE, passphrase = ROTATE, crl = ROTATE, verify = ROTATE, serverName = ROTATE,
    identity = ROTATE, minVersion = ROTATE, ciphers = ROTATE,
  },
  compression = ROTATE,
  requestTimeout = NEXT, attemptTimeout = NEXT, maxQueuedRequests = NEXT, maxPreparedStatements = AT_ONCE,
  clientTimestamps = NEXT, busyPollUs = AT_ONCE,
  loadBalancing = NEXT, retry = NEXT, speculativeExecution = NEXT, reconnection = AFTER_NEXT,
  policyPath = NEXT,
  healthCheck = { enabled = AT_ONCE, interval = AT_ONCE, timeout = AT_ONCE, query = AT_ONCE },
  circuitBreaker = {
    enabled = AT_ONCE, failureThreshold = AT_ONCE, recoveryTimeout = AT_ONCE, halfOpenMaxCalls = AT_ONCE,
  },
  failover = {
    enabled = NEXT, maxRetries = NEXT, retryDelay = NEXT, backoffMultiplier = NEXT, autoDiscovery = AT_ONCE,
    discoveryInterval = AT_ONCE, policy = "within a second", allowLocalConsistency = NEXT,
  },
  regionSettings = AT_ONCE,
  defaults = NEXT, profiles = NEXT,
  logging = {
    level = AT_ONCE, logConnections = AT_ONCE, logRequests = AT_ONCE, logErrors = AT_ONCE, slowRequestMs = AT_ONCE,
    format = AT_ONCE, timestamps = AT_ONCE, to = AT_ONCE,
  },
  decisionLog = { sample = NEXT, file = AT_ONCE, keep = AT_ONCE },
  handlers = "between two events",
  playbooks = AT_ONCE, controlEval = AT_ONCE,
}

change.fixed = {
  port = "the nodes are reached where they were found; give contactPoints their port (\"node:9142\"), or restart",
  localDataCenter = "which hosts are local decides where every request goes; restart, or open a second pool and close "
    .. "this one",
  keyspace = "connections and prepared statements are bound to it; name the keyspace in the statement or in the "
    .. "request's options, or restart",
  control = "those who ask know its path; restart",
  ["metrics.listen"] = "those who scrape know its address; restart",
  ["http.listen"] = "those who look know its address; restart",
  ["http.token"] = "it is read when the page begins; restart",
  policyKeys = "who may change a policy is not changed by a file that somebody else may change; restart",
  protocolVersion = "a cluster is spoken to in one version; restart, or open a second pool and close this one",
}

-- What stands for a fixed key that is not given.
change.default = { port = 9042 }

local UNKNOWN = "how to apply it is not known; restart"

-- Why the key ("pooling.idleTimeout") cannot be changed, or nil when it can.
function change.refusal(key)
  if change.fixed[key] then return change.fixed[key] end
  local at = change.live
  for part in key:gmatch "[^.]+" do
    if type(at) == "table" then at = at[part] end
  end
  return at == nil and UNKNOWN or nil
end

return change
