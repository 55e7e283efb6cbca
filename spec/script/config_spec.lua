-- SPDX-License-Identifier: Apache-2.0
local config = require "moonpool.config"
local nearest = require "moonpool.nearest"
local policies = require "spec.support.policies" -- declares struct mp_policies_config

-- What is wrong, and the message in full behind "app.lua:3: ".
local MS = "must be an integer of milliseconds, 0 or more"
local MS1 = "must be an integer of milliseconds, 1 or more"
local TEXT = "must be a text that is not empty"
local LIST = 'must be a list of addresses: { "127.0.0.1", "node2:9042" }'
local KEYSPACE = "must be the name of a keyspace: letters, digits and _, at most 48"
local POLICY = "must be the name of a policy or the path of its file"
local NAN = 0 / 0
local function pooling(table) return { pooling = table } end
local bad = {
  { { contactPoint = { "a" } }, "contactPoint: there is no such key, did you mean contactPoints?" },
  { { localDatacenter = "x" }, "localDatacenter: there is no such key, did you mean localDataCenter?" },
  { { contactPoints = "127.0.0.1" }, 'contactPoints: got "127.0.0.1" (string); ' .. LIST },
  { { contactPoints = {} }, "contactPoints: got an empty list; " .. LIST },
  { { contactPoints = { a = "b" } }, "contactPoints: got a table; " .. LIST },
  { { contactPoints = { "host:99999" } }, 'contactPoints[1]: got "host:99999" (string); the port must be 1 to 65535' },
  { { contactPoints = { "host:0" } }, 'contactPoints[1]: got "host:0" (string); the port must be 1 to 65535' },
  { { contactPoints = { "host:http" } },
    'contactPoints[1]: got "host:http" (string); the port must be a number, 1 to 65535' },
  { { contactPoints = { "host:" } }, 'contactPoints[1]: got "host:" (string); the port after : is missing' },
  { { contactPoints = { "a", "" } }, 'contactPoints[2]: got "" (string); the host is missing' },
  { { contactPoints = { "a b" } }, 'contactPoints[1]: got "a b" (string); has a space in it' },
  { { contactPoints = { "http://a" } },
    'contactPoints[1]: got "http://a" (string); must be a host name or an address, not a URL' },
  { { contactPoints = { "300.1.1.1" } },
    'contactPoints[1]: got "300.1.1.1" (string); as an IPv4 address: 300 is more than 255' },
  { { contactPoints = { "127.0.0.1", "10.0.1:9042" } }, 'contactPoints[2]: got "10.0.1:9042" (string); as an IPv4 '
    .. "address: must be four numbers with dots between them, not 3" },
  { { contactPoints = { "a\nb" } }, 'contactPoints[1]: got "a\\10b" (string); has a control character in it' },
  { { contactPoints = { 9042 } }, "contactPoints[1]: got 9042 (number); must be a text such as \"127.0.0.1\" or "
    .. '"node2:9042"' },
  { { contactPoints = { "[::1" } },
    'contactPoints[1]: got "[::1" (string); the ] behind the address is missing' },
  { { contactPoints = { "me:secret@node1" } }, 'contactPoints[1]: got "***@node1" (string); must be a host name or an '
    .. "address, without user and password: those stand in auth" },
  { { addressTranslator = "x" }, 'addressTranslator: got "x" (string); must be a table such as { ["10.0.0.1"] = '
    .. '"127.0.0.1:19042" } or a function(address, host) that returns an address' },
  { { addressTranslator = { ["node1"] = "127.0.0.1" } }, 'addressTranslator["node1"]: as an address of the cluster: '
    .. "must be an IP address: names are not looked up here" },
  { { addressTranslator = { ["10.0.0.1"] = "localhost:1" } }, 'addressTranslator["10.0.0.1"]: got "localhost:1" '
    .. "(string); must be an IP address: names are not looked up here" },
  { { addressTranslator = { ["10.0.0.1"] = 19042 } }, 'addressTranslator["10.0.0.1"]: got 19042 (number); must be an '
    .. "address" },
  { { addressTranslator = { "127.0.0.1" } }, 'addressTranslator["1"]: as an address of the cluster: as an IPv4 '
    .. "address: must be four numbers with dots between them, not 1" },
  { { port = "9042" }, 'port: got "9042" (string); must be an integer, 1 to 65535' },
  { { port = 0 }, "port: got 0 (number); must be an integer, 1 to 65535" },
  { { port = 65536 }, "port: got 65536 (number); must be an integer, at most 65535" },
  { { localDataCenter = 5 }, "localDataCenter: got 5 (number); " .. TEXT },
  { { localDataCenter = "" }, 'localDataCenter: got "" (string); ' .. TEXT },
  { { loadBalancing = { canary = 5 } }, 'loadBalancing.canary: got 5 (number); must be a table: { share = 0.05, '
    .. 'lasting = "2m" }' },
  { { loadBalancing = { canary = { shares = 1 } } },
    "loadBalancing.canary.shares: there is no such key, did you mean share?" },
  { { retry = { canary = { share = 0.6 } } },
    "retry.canary.share: got 0.6 (number); must be a share of the requests, above 0 and at most 0.5" },
  { { retry = { canary = { share = NAN } } },
    "retry.canary.share: got nan (number); must be a share of the requests, above 0 and at most 0.5" },
  { { loadBalancing = { canary = { lasting = "2 weeks" } } }, 'loadBalancing.canary.lasting: got "2 weeks" (string); '
    .. 'must be a time: "30s", "5m", "1h", "500ms", or a number of milliseconds' },
  { { loadBalancing = { canary = { lasting = 100 } } },
    "loadBalancing.canary.lasting: got 100 (number); must be a time of 200 ms to 7 days" },
  { { loadBalancing = { canary = { requests = 5 } } },
    "loadBalancing.canary.requests: got 5 (number); must be an integer, 10 to 1000000000" },
  { { loadBalancing = { canary = { abortIf = { errorrate = 2 } } } },
    "loadBalancing.canary.abortIf.errorrate: there is no such key, did you mean errorRate?" },
  { { loadBalancing = { canary = { abortIf = { p99 = 0.5 } } } },
    "loadBalancing.canary.abortIf.p99: got 0.5 (number); "
    .. "must be a ratio to the generation in force, 1 to 1000, or false" },
  { { loadBalancing = { canary = { abortIf = { leftDatacenter = 1 } } } },
    "loadBalancing.canary.abortIf.leftDatacenter: got 1 (number); "
    .. "must be a share more than the generation in force has, above 0 and below 1, or false" },
  { { retry = { canary = { abortIf = { busiestHost = 2 } } } },
    "retry.canary.abortIf.busiestHost: there is no such key; known here: attempts, errorRate, p99, policyErrors" },
  { { reconnection = { policy = "X", canary = {} } }, "reconnection.canary: a canary divides requests between two "
    .. "generations, and this policy is not asked about requests; take it out" },
  { { keyspace = "my app" }, 'keyspace: got "my app" (string); ' .. KEYSPACE },
  { { keyspace = "x; DROP" }, 'keyspace: got "x; DROP" (string); ' .. KEYSPACE },
  { { auth = "secret" }, "auth: got a string; must be a table" },
  { { auth = { username = "me" } }, "auth.password: must be given beside username" },
  { { auth = { username = "me", password = 12345 } }, "auth.password: got a number; must be a text" },
  { { auth = { user = "me" } }, "auth.user: there is no such key; known here: authenticator, "
    .. "credentials, password, required, username" },
  { { auth = { required = false } }, "auth.username: must be given beside required" },
  { { auth = { username = "me", password = "secret", required = "no" } },
    "auth.required: got a string; must be true or false" },
  { { tls = { key = "x" } }, "tls.cert: must be given beside key" },
  { { tls = { minVersion = "1.1" } }, "tls.minVersion: got a string; must be one of 1.2, 1.3" },
  { { compression = "zip" }, 'compression: got "zip" (string); must be one of none, lz4, snappy' },
  { { protocolVersion = 2 }, "protocolVersion: got 2 (number); must be an integer, 3 to 5" },
  { { requestTimeout = 0 }, "requestTimeout: got 0 (number); " .. MS1 },
  { { requestTimeout = 100, attemptTimeout = 200 },
    "attemptTimeout: got 200 (number); must be at most requestTimeout, which is 100" },
  { { pooling = 5 }, "pooling: got 5 (number); must be a table" },
  { pooling { heartBeatInterval = -5 }, "pooling.heartBeatInterval: got -5 (number); " .. MS },
  { pooling { heartBeatInterval = 1.5 }, "pooling.heartBeatInterval: got 1.5 (number); " .. MS },
  { pooling { heartBeatInterval = NAN }, "pooling.heartBeatInterval: got " .. tostring(NAN) .. " (number); " .. MS },
  { pooling { heartBeatInterval = "30s" }, 'pooling.heartBeatInterval: got "30s" (string); ' .. MS },
  { pooling { heartBeatInterval = 1e9 },
    "pooling.heartBeatInterval: got 1000000000 (number); must be an integer of milliseconds, at most 86400000" },
  { pooling { heartbeatInterval = 5000 },
    "pooling.heartbeatInterval: there is no such key, did you mean heartBeatInterval?" },
  { pooling { idleTimeout = true }, "pooling.idleTimeout: got true (boolean); " .. MS },
  { pooling { connectionTimeout = 0 }, "pooling.connectionTimeout: got 0 (number); " .. MS1 },
  { pooling { enableTcpNoDelay = 1 }, "pooling.enableTcpNoDelay: got 1 (number); must be true or false" },
  { pooling { maxRequestsPerConnection = 0 },
    "pooling.maxRequestsPerConnection: got 0 (number); must be an integer, 1 or more" },
  { pooling { coreConnectionsPerHost = 2 },
    "pooling.coreConnectionsPerHost: got 2 (number); must be a table such as { ['0'] = 2, ['1'] = 1 }" },
  { pooling { coreConnectionsPerHost = { ["0"] = -1 } },
    "pooling.coreConnectionsPerHost['0']: got -1 (number); must be an integer, 0 to 4096" },
  { pooling { coreConnectionsPerHost = { ["0"] = 0 } },
    "pooling.coreConnectionsPerHost['0']: got 0 (number); must be an integer, 1 or more" },
  { pooling { coreConnectionsPerHost = { ["3"] = 1 } },
    "pooling.coreConnectionsPerHost['3']: there is no such distance; '0' or local, '1' or remote, '2' or ignored" },
  { pooling { coreConnectionsPerHost = { ["0"] = 1, ["local"] = 2 } },
    "pooling.coreConnectionsPerHost['local']: this distance is given twice" },
  { pooling { coreConnectionsPerHost = { ["0"] = 8 }, maxConnectionsPerHost = { ["0"] = 4 } },
    "pooling.coreConnectionsPerHost['0']: got 8 (number); must be at most maxConnectionsPerHost['0'], which is 4" },
  { pooling { maxConnectionsPerHost = { ["0"] = 5000 } },
    "pooling.maxConnectionsPerHost['0']: got 5000 (number); must be an integer, at most 4096" },
  { pooling { maxConnectionsPerHost = { [0] = "8" } },
    'pooling.maxConnectionsPerHost[0]: got "8" (string); must be an integer, 1 to 4096' },
  { pooling { adaptivePooling = { enabled = true, targetUtilization = 70 } },
    "pooling.adaptivePooling.targetUtilization: got 70 (number); must be a number, 0 to 1" },
  { pooling { adaptivePooling = { minConnections = 8, maxConnections = 4 } },
    "pooling.adaptivePooling.minConnections: got 8 (number); must be at most maxConnections, which is 4" },
  { pooling { adaptivePooling = { scaleDownThreshold = 0.8 } },
    "pooling.adaptivePooling.scaleDownThreshold: got 0.8 (number); must be below scaleUpThreshold, which is 0.8 by "
      .. "default" },
  { pooling { adaptivePooling = { scaleUpThreshold = 0.6 } },
    "pooling.adaptivePooling.targetUtilization: got 0.7 by default (number); must be between scaleDownThreshold, which "
      .. "is 0.3 by default, and scaleUpThreshold, which is 0.6" },
  { pooling { adaptivePooling = { targetUtilization = 0.2, scaleDownThreshold = 0.2, scaleUpThreshold = 0.9 } },
    "pooling.adaptivePooling.targetUtilization: got 0.2 (number); must be between scaleDownThreshold, which is 0.2, "
      .. "and scaleUpThreshold, which is 0.9" },
  { pooling { adaptivePooling = { evaluationInterval = 10 } },
    "pooling.adaptivePooling.evaluationInterval: got 10 (number); must be an integer of milliseconds, 20 or more" },
  { pooling { adaptivePooling = { minConnection = 2 } },
    "pooling.adaptivePooling.minConnection: there is no such key, did you mean minConnections?" },
  { { loadBalancing = { shadow = 5 } },
    "loadBalancing.shadow: got 5 (number); must be the name of a policy, the path of its file, or a table such as "
      .. '{ policy = "mine.lua" }' },
  { { loadBalancing = { shadow = "" } }, 'loadBalancing.shadow: got "" (string); ' .. POLICY },
  { { loadBalancing = { shadow = { spare = 1 } } }, "loadBalancing.shadow.policy: must be given" },
  { { loadBalancing = { shadow = { policy = 5 } } }, "loadBalancing.shadow.policy: got 5 (number); " .. POLICY },
  { { loadBalancing = { shadowShare = 1.5 } },
    "loadBalancing.shadowShare: got 1.5 (number); must be a number, 0 to 1" },
  { { loadBalancing = { shadowShare = -1 } }, "loadBalancing.shadowShare: got -1 (number); must be a number, 0 to 1" },
  { { loadBalancing = { shadowShare = NAN } },
    "loadBalancing.shadowShare: got " .. tostring(NAN) .. " (number); must be a number, 0 to 1" },
  { { loadBalancing = { shadowShare = "1" } },
    'loadBalancing.shadowShare: got "1" (string); must be a number, 0 to 1' },
  { { loadBalancing = "TokenAwarePolicy" }, 'loadBalancing: got "TokenAwarePolicy" (string); must be a table' },
  { { loadBalancing = { policy = 5 } },
    "loadBalancing.policy: got 5 (number); " .. POLICY },
  { { loadBalancing = { policy = "X", rank = function() end } },
    "loadBalancing.rank: got a function; must be a number, a text, true, false or a table of those" },
  { { retry = { policy = "" } }, 'retry.policy: got "" (string); ' .. POLICY },
  { { reconnection = { policy = true } }, "reconnection.policy: got true (boolean); " .. POLICY },
  { { speculativeExecution = { policy = 5 } }, "speculativeExecution.policy: got 5 (number); " .. POLICY },
  { { speculativeExecution = 5 }, "speculativeExecution: got 5 (number); must be a table" },
  { { speculativExecution = {} },
    "speculativExecution: there is no such key, did you mean speculativeExecution?" },
  { { reconnections = {} }, "reconnections: there is no such key, did you mean reconnection?" },
  { { policyPath = 5 }, "policyPath: got 5 (number); must be a list of texts" },
  { { policyPath = { "a", 5 } }, "policyPath[2]: got 5 (number); " .. TEXT },
  { { healthCheck = { enabled = "yes" } }, 'healthCheck.enabled: got "yes" (string); must be true or false' },
  { { circuitBreaker = { failureThreshold = 0 } },
    "circuitBreaker.failureThreshold: got 0 (number); must be an integer, 1 to 1000000" },
  { { failover = { backoffMultiplier = 0.5 } },
    "failover.backoffMultiplier: got 0.5 (number); must be a number, 1 to 1000" },
  { { failover = { policy = 5 } }, "failover.policy: got 5 (number); " .. POLICY },
  { { failover = { policy = "X", downFor = function() end } },
    "failover.downFor: got a function; must be a number, a text, true, false or a table of those" },
  { { failover = { policy = "X", maxRetries = -1 } },
    "failover.maxRetries: got -1 (number); must be an integer, 0 to 1000" },
  { { failover = { downFor = 5 } }, "failover.downFor: there is no such key; known here: allowLocalConsistency, "
    .. "autoDiscovery, backoffMultiplier, discoveryInterval, enabled, maxRetries, policy, retryDelay" },
  { { failover = { polici = "X" } }, "failover.polici: there is no such key, did you mean policy?" },
  { { failover = { policy = "X" }, pooling = { coreConnectionsPerHost = { ["1"] = 0 } } },
    "pooling.coreConnectionsPerHost['1']: got 0 (number); must be 1 or more with failover.policy, which has to see "
    .. "whether remote hosts are up" },
  { { regionSettings = { east = { maxConnections = 0 } } },
    "regionSettings.east.maxConnections: got 0 (number); must be an integer, 1 to 4096" },
  { { logging = { level = "verbose" } },
    'logging.level: got "verbose" (string); must be one of error, warn, info, debug, off' },
}

local function message_of(given, where)
  local checked, message = config.check(given, where)
  assert.is_nil(checked)
  return message
end

local function warnings_of(given)
  local checked, warnings = config.check(given, "app.lua:3")
  assert.is_table(checked, warnings)
  for i, text in ipairs(warnings) do warnings[i] = text:gsub("^app.lua:3: ", "") end
  return warnings, checked
end

describe("a wrong configuration", function()
  for i, case in ipairs(bad) do
    it(("is refused, %d: %s"):format(i, case[2]:match "^[^:]+"), function()
      assert.equal("app.lua:3: " .. case[2], message_of(case[1], "app.lua:3"))
    end)
  end

  it("is no table", function()
    assert.equal("app.lua:3: the configuration must be a table or the path of a Lua file, got a nil",
      message_of(nil, "app.lua:3"))
    assert.equal("the configuration must be a table or the path of a Lua file, got a number", message_of(5))
  end)

  it("is told in full: every problem has its line", function()
    assert.equal("a:1: poling: there is no such key, did you mean pooling?\n"
      .. "a:1: port: got -1 (number); must be an integer, 1 to 65535\n"
      .. 'a:1: keyspace: got "" (string); ' .. KEYSPACE,
      message_of({ poling = {}, port = -1, keyspace = "" }, "a:1"))
    assert.matches("^zz: there is no such key; known here: addressTranslator, attemptTimeout, auth, .*, tls$",
      message_of { zz = 1 })
    assert.matches("^1: there is no such key; known here", message_of { 5 })
  end)

  it("names the place of the call", function()
    local function here()
      local place = config.where(2)
      return place
    end
    local line = debug.getinfo(1, "l").currentline + 1
    assert.equal("config_spec.lua:" .. line, (here():gsub(".*/", "")))
  end)
end)

describe("a doubtful configuration", function()
  it("that a node without a password is let in is told at each start", function()
    local auth = { username = "me", password = "secret" }
    assert.same({}, (warnings_of { contactPoints = { "a" }, auth = auth }))
    auth.required = true
    assert.same({}, (warnings_of { contactPoints = { "a" }, auth = auth }))
    auth.required = false
    assert.same({ "auth.required: false lets in a node that asks for no password, be it another cluster's; take it out "
      .. "once every node asks" }, (warnings_of { contactPoints = { "a" }, auth = auth }))
  end)

  it("is the seed document's example of what to avoid: three precise warnings", function()
    local warnings = warnings_of { pooling = { maxConnectionsPerHost = { ["0"] = 1000 }, heartBeatInterval = 1000,
      idleTimeout = 1000 } }
    assert.same({
      "pooling.maxConnectionsPerHost['0']: 1000 connections to each host are too many: one carries up to 32768 "
        .. "requests at a time; use 1 to 16",
      "pooling.heartBeatInterval: 1000 ms is too frequent: it loads each connection and finds a dead node no sooner; "
        .. "use 15000 to 60000",
      "pooling.idleTimeout: 1000 ms is too short: connections would be closed and opened all the time; "
        .. "use 60000 or more",
      "contactPoints: nothing is given; 127.0.0.1 is used",
    }, warnings)
  end)

  it("asks for more stream ids than there are", function()
    local warnings, checked = warnings_of { contactPoints = { "a" }, pooling = { maxRequestsPerConnection = 65536 } }
    assert.same({
      "pooling.maxRequestsPerConnection: 65536 is more than the protocol's 32768 stream ids; 32768 is used",
    }, warnings)
    assert.equal(32768, checked.maxRequests)
  end)

  it("asks for nothing that is not there", function()
    local warnings = warnings_of {
      contactPoints = { "a" }, handlers = "h.lua", playbooks = { "p.lua" },
      regionSettings = { east = { maxConnections = 16, priority = 1 } },
      healthCheck = { enabled = true },
      failover = { enabled = true, maxRetries = 3, autoDiscovery = true, discoveryInterval = 60000 },
      logging = { level = "debug", logRequests = true, logErrors = false },
      pooling = { enableMetrics = true, enableBatching = true, batchSize = 100, batchTimeout = 10 },
    }
    for _, text in ipairs(warnings) do assert.not_matches("ignored", text) end
  end)

  it("says which keys of batching have no effect", function()
    assert.same({ "pooling.batchSize: has no effect: pooling.enableBatching is not true",
      "pooling.batchTimeout: has no effect: pooling.enableBatching is not true" },
      warnings_of { contactPoints = { "a" }, pooling = { batchSize = 9, batchTimeout = 1, enableBatching = false } })
  end)

  it("says which keys of circuitBreaker have no effect", function()
    assert.same({ "circuitBreaker.failureThreshold: has no effect: circuitBreaker.enabled is not true" },
      warnings_of { contactPoints = { "a" }, circuitBreaker = { failureThreshold = 9 } })
    assert.same({}, warnings_of { contactPoints = { "a" }, circuitBreaker = { enabled = true, failureThreshold = 9,
      recoveryTimeout = 1, halfOpenMaxCalls = 1 } })
  end)

  it("gives fixed sizes beside adaptive ones", function()
    assert.same({
      "pooling.adaptivePooling.evaluationInterval: 500 ms is too short to tell a load from its noise; use 5000 or more",
      "pooling.coreConnectionsPerHost['0']: has no effect: pooling.adaptivePooling decides, between 2 and 20",
      "pooling.maxConnectionsPerHost['0']: has no effect: pooling.adaptivePooling decides, between 2 and 20",
    }, warnings_of { contactPoints = { "a" }, pooling = { coreConnectionsPerHost = { ["0"] = 2, ["1"] = 1 },
      maxConnectionsPerHost = { ["local"] = 3 }, adaptivePooling = { minConnections = 2, maxConnections = 20,
        evaluationInterval = 500 } } })
    assert.same({}, warnings_of { contactPoints = { "a" }, pooling = { coreConnectionsPerHost = { ["0"] = 2 },
      adaptivePooling = { enabled = false } } })
  end)

  it("says which keys of failover have no effect", function()
    assert.same({
      "failover.maxRetries: has no effect: failover.enabled is false",
      "failover.retryDelay: has no effect: failover.enabled is false",
      "failover.backoffMultiplier: has no effect: failover.enabled is false",
      "attemptTimeout: has no effect: by failover no request goes on to another host",
    }, warnings_of { contactPoints = { "a" }, attemptTimeout = 500, failover = { enabled = false, maxRetries = 3,
      retryDelay = 10, backoffMultiplier = 2 } })
    assert.same({ "failover.discoveryInterval: has no effect: failover.autoDiscovery is false" },
      warnings_of { contactPoints = { "a" }, failover = { autoDiscovery = false, discoveryInterval = 30000 } })
  end)

  it("switches failover off, or gives it half", function()
    assert.same({ "failover.policy: has no effect: failover.enabled is false" }, warnings_of { contactPoints = { "a" },
      failover = { enabled = false, policy = "DatacentreFailoverPolicy" } })
    assert.same({ "failover.allowLocalConsistency: has no effect without failover.policy" },
      warnings_of { contactPoints = { "a" }, failover = { allowLocalConsistency = false } })
  end)

  it("names a reconnect policy beside the delays that it replaces", function()
    assert.same({
      "pooling.reconnectMaxDelay: has no effect: reconnection.policy decides, ExponentialReconnectionPolicy",
    }, warnings_of { contactPoints = { "a" }, reconnection = {}, pooling = { reconnectMaxDelay = 5000 } })
  end)

  it("has copies only after the request's end", function()
    assert.same({
      "speculativeExecution.delay: has no effect: requests end before, by requestTimeout, which is 500",
    }, warnings_of { contactPoints = { "a" }, requestTimeout = 500, speculativeExecution = { delay = 500 } })
    assert.same({}, warnings_of { contactPoints = { "a" }, requestTimeout = 500, speculativeExecution = {} })
  end)

  it("switches off what is not there: nothing to say", function()
    assert.same({}, warnings_of { contactPoints = { "a" }, healthCheck = { enabled = false, interval = 5000 },
      circuitBreaker = { enabled = false }, compression = "none", pooling = { enableMetrics = false, warmup = true,
        adaptivePooling = { enabled = false }, enableBatching = false } })
  end)

  it("says a share of no shadow, and one of no request", function()
    assert.same({ "loadBalancing.shadowShare: has no effect without loadBalancing.shadow" },
      warnings_of { contactPoints = { "a" }, loadBalancing = { shadowShare = 0.5 } })
    assert.same({ "loadBalancing.shadowShare: 0: the shadow is asked about no request" },
      warnings_of { contactPoints = { "a" }, loadBalancing = { shadow = "RoundRobinPolicy", shadowShare = 0 } })
  end)

  it("says things that have no effect", function()
    assert.same({
      "contactPoints[2]: \"a\" is there twice",
      "pooling.coreConnectionsPerHost['2']: has no effect: ignored hosts get no connections",
      "pooling.heartBeatInterval: 0 switches heartbeats off: a silent connection is not noticed",
      "loadBalancing.usedHostsPerRemoteDc: has no effect: pooling.coreConnectionsPerHost['1'] is 0, so remote hosts "
        .. "get no connections",
    }, warnings_of { contactPoints = { "a", "a" }, loadBalancing = { usedHostsPerRemoteDc = 1 }, pooling = {
      coreConnectionsPerHost = { ["0"] = 2, ["1"] = 0, ["2"] = 1 }, heartBeatInterval = 0 } })
  end)
end)

describe("a configuration file", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)
  local function file(text)
    policies.write(folder .. "/pool.lua", text)
    return folder .. "/pool.lua"
  end
  local function message(text)
    local path = file(text)
    return (message_of(path):gsub(path:gsub("%p", "%%%0"), "pool.lua"))
  end

  it("returns a table, and may ask the environment as the seed document does", function()
    local checked, warnings = config.check(file [[
      local hosts = {}
      for host in (os.getenv "MOONPOOL_SPEC_NO_SUCH" or "one,two:9043"):gmatch "[^,]+" do hosts[#hosts + 1] = host end
      return { contactPoints = hosts, localDataCenter = os.getenv "MOONPOOL_SPEC_NO_SUCH" or "datacenter1" }]])
    assert.same({}, warnings)
    assert.same({ { host = "one" }, { host = "two", port = 9043 } }, checked.contactPoints)
    assert.equal("datacenter1", checked.localDataCenter)
    assert.equal(folder .. "/pool.lua", checked.file)
  end)

  it("is told the line of the key that is wrong", function()
    assert.equal("pool.lua:4: pooling.heartBeatInterval: got -5 (number); " .. MS, message [[
return {
  contactPoints = { "a" }, -- heartBeatInterval = 1
  pooling = {
    heartBeatInterval = -5,
  } }]])
    assert.equal("pool.lua:3: pooling.maxConnectionsPerHost['0']: got 0 (number); must be an integer, 1 to 4096",
      message [[
return { pooling = {
  coreConnectionsPerHost = { ["0"] = 1 },
  ["maxConnectionsPerHost"] = { ["0"] = 0 } } }]])
    assert.equal("pool.lua:5: healthCheck.enabled: got 1 (number); must be true or false", message [==[
local enabled = 1
--[=[ healthCheck = 1
]=]

return { circuitBreaker = { enabled = true }, healthCheck = { enabled = enabled } }]==])
    assert.equal("pool.lua:2: pooling.idelTimeout: there is no such key, did you mean idleTimeout?",
      message "return {\n  pooling = { idelTimeout = 5 } }")
    assert.matches("^pool.lua:2: zzz: there is no such key", message "local t = {}\nt['zzz'] = 1\nreturn t")
  end)

  it("is refused with its line when it is not Lua, fails or returns something else", function()
    assert.matches("^pool.lua:2: unexpected symbol", message "return {\n")
    assert.matches("^pool.lua:2: no$", message "local a = 1\nerror 'no'")
    assert.equal("pool.lua:1: the file must return a table, got a nil", message "local a = 1")
    assert.equal("pool.lua:1: this is bytecode, not Lua source text",
      message(string.dump(loadstring "return {}")))
    assert.equal("app.lua:3: configuration /no/such/pool.lua: No such file or directory",
      message_of("/no/such/pool.lua", "app.lua:3"))
    assert.equal("configuration " .. folder .. ": cannot be read", message_of(folder))
    assert.equal("pool.lua:1: the file must return a table, got a nil", message "")
  end)

  it("may be a text", function()
    local checked = config.check_text("return { contactPoints = { 'a' } }", "=here")
    assert.equal("a", checked.contactPoints[1].host)
    local _, why = config.check_text("return {\nport = 0 }", "inline")
    assert.equal("inline:2: port: got 0 (number); must be an integer, 1 to 65535", why)
  end)
end)

describe("the nearest name", function()
  it("is one that somebody may have meant", function()
    local names = { heartBeatInterval = 1, idleTimeout = 1, connectionTimeout = 1 }
    assert.equal("heartBeatInterval", nearest.of("heartbeatInterval", names))
    assert.equal("heartBeatInterval", nearest.of("haertBeatInterval", names))
    assert.equal("idleTimeout", nearest.of("idleTimeOut", names))
    assert.is_nil(nearest.of("x", names))
    assert.is_nil(nearest.of(("x"):rep(1000), names))
    assert.equal(3, nearest.distance("kitten", "sitting"))
    assert.equal(1, nearest.distance("ab", "ba"))
  end)
end)
