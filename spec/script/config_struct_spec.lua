-- SPDX-License-Identifier: Apache-2.0
-- What C gets of a configuration: every key in its place of the session's struct.
local ffi = require "ffi"
local C = require "spec.support.c"
local script_config = require "spec.script.script_config"

describe("what C gets", function()
  local L, read
  before_each(function()
    L, read = script_config.state(), ffi.new "struct mp_script_config"
  end)
  after_each(function() C.lua_close(L) end)

  local function run(text) script_config.run(L, text) end
  local function of(table)
    run("return assert(require 'moonpool.config'.check(" .. table .. ", 'app.lua:3'))")
    assert.equal(0, C.mp_script_config_read(L, -1, read))
    assert.equal(1, C.lua_gettop(L))
    return read.session, read.policies
  end
  local function text(pointer) return pointer ~= nil and ffi.string(pointer) or nil end

  it("is the core's defaults where nothing is said", function()
    local session, chosen = of "{}"
    local defaults = ffi.new "struct mp_session_config"
    C.mp_session_config_defaults(defaults)
    for _, field in ipairs { "port", "protocol_version", "max_requests_per_connection", "connect_timeout_ms",
      "heartbeat_interval_ms", "heartbeat_timeout_ms", "request_timeout_ms", "attempt_timeout_ms", "max_queued",
      "discovery_interval_ms", "connects_per_second", "log_level" } do
      assert.equal(defaults[field], session[field], field)
    end
    for _, field in ipairs { "core", "max", "idle_timeout_ms", "reconnect_base_ms", "reconnect_max_ms" } do
      assert.equal(defaults["local"][field], session["local"][field], field)
      assert.equal(defaults.remote[field], session.remote[field], field)
    end
    assert.equal(1, tonumber(session.contact_point_count))
    assert.equal("127.0.0.1", text(session.contact_points[0].host))
    assert.is_nil(text(session.keyspace))
    assert.is_nil(text(session.username))
    assert.is_nil(text(chosen.choices[0].policy))
    assert.is_nil(text(chosen.choices[1].policy))
    assert.is_true(chosen.watch)
    assert.is_false(session.connect_remote)
    C.mp_script_config_deinit(read)
  end)

  it("has the defaults that are documented", function()
    local said = {}
    for line in io.lines(MOONPOOL_ROOT .. "/docs/configuration.md") do
      local keys, values = line:match "^| (`[^|]*`) | ([^|]*) |"
      if keys then
        values = values:gsub("remote", ""):gmatch "[%w]+"
        for key in keys:gmatch "`([^`]+)`" do said[key] = values() end
      end
    end
    local session = of "{}"
    local limits, tcp, breaker = session["local"], session.tcp, session.breaker
    for key, value in pairs {
      port = session.port, requestTimeout = session.request_timeout_ms, maxQueuedRequests = session.max_queued,
      busyPollUs = session.busy_poll_us,
      maxPreparedStatements = session.prepared_max, clientTimestamps = session.client_timestamps,
      coreConnectionsPerHost = limits.core, maxConnectionsPerHost = limits.max,
      maxRequestsPerConnection = session.max_requests_per_connection,
      heartBeatInterval = session.heartbeat_interval_ms, heartBeatTimeout = session.heartbeat_timeout_ms,
      connectionTimeout = session.connect_timeout_ms, warmup = session.warmup, idleTimeout = limits.idle_timeout_ms,
      reconnectBaseDelay = limits.reconnect_base_ms, reconnectMaxDelay = limits.reconnect_max_ms,
      connectionsPerSecond = session.connects_per_second, enableTcpNoDelay = tcp.no_delay,
      tcpUserTimeout = tcp.user_timeout_ms, enableMetrics = session.metrics,
      metricsInterval = session.metrics_interval_ms, ["failover.enabled"] = session.failover.enabled,
      ["failover.backoffMultiplier"] = session.failover.multiplier,
      ["failover.autoDiscovery"] = session.auto_discovery,
      ["failover.discoveryInterval"] = session.discovery_interval_ms, ["circuitBreaker.enabled"] = breaker.enabled,
      ["circuitBreaker.failureThreshold"] = breaker.threshold,
      ["circuitBreaker.recoveryTimeout"] = breaker.recovery_ms, ["circuitBreaker.halfOpenMaxCalls"] = breaker.trials,
    } do
      assert.equal(said[key], tostring(type(value) == "boolean" and value or tonumber(value) or value), key)
    end
    assert.same({ 1, 1, 120000, 500, 60000 }, { session.remote.core, session.remote.max,
      session.remote.idle_timeout_ms, session.remote.reconnect_base_ms, session.remote.reconnect_max_ms })
    C.mp_script_config_deinit(read)
  end)

  it("is every key in its place", function()
    local session, chosen = of [[{
      contactPoints = { "one", "two:9043", "[::1]:9044", "::1" }, port = 9999, localDataCenter = "dc1",
      localRack = "r1", keyspace = "myapp", auth = { username = "me", password = "secret", required = false },
      protocolVersion = 4,
      requestTimeout = 2000, attemptTimeout = 500, maxQueuedRequests = 77, maxPreparedStatements = 88,
      busyPollUs = 150,
      clientTimestamps = false, compression = "snappy",
      tls = { ca = "/c/ca.pem", cert = "/c/own.pem", key = "/c/own.key", crl = "/c/crl.pem", verify = false,
        serverName = "node.test", identity = "hostId", minVersion = "1.3" },
      policyPath = { "/a", "/b" },
      pooling = { coreConnectionsPerHost = { ["0"] = 4, [1] = 2 },
        maxConnectionsPerHost = { ["local"] = 16, remote = 8 }, maxRequestsPerConnection = 1000,
        heartBeatInterval = 20000, heartBeatTimeout = 1500, idleTimeout = 90000, connectionTimeout = 3000,
        enableTcpNoDelay = false, enableTcpKeepAlive = false, tcpUserTimeout = 4000,
        reconnectBaseDelay = 10, reconnectMaxDelay = 20, connectionsPerSecond = 5 },
      failover = { discoveryInterval = 30000, enabled = false, maxRetries = 7, retryDelay = 40,
        backoffMultiplier = 1.5, autoDiscovery = false, allowLocalConsistency = true }, logging = { level = "debug" },
      loadBalancing = { policy = "TokenAwarePolicy", childPolicy = "RoundRobinPolicy", shuffleReplicas = false },
      retry = { maxRetries = 5, retryDelay = 10 },
      reconnection = { policy = "ConstantReconnectionPolicy", delay = 250 },
      speculativeExecution = { delay = 30, maxSpeculativeExecutions = 2 } }]]
    local points = {}
    for i = 0, 3 do points[i + 1] = text(session.contact_points[i].host) .. " " .. session.contact_points[i].port end
    assert.same({ "one 0", "two 9043", "::1 9044", "::1 0" }, points)
    assert.equal(150, session.busy_poll_us)
    assert.same({ 9999, 4, 2000, 500, 77, 88, 1000, 20000, 1500, 3000, 30000, 5 }, { session.port,
      session.protocol_version, session.request_timeout_ms, session.attempt_timeout_ms, session.max_queued,
      tonumber(session.prepared_max), session.max_requests_per_connection, session.heartbeat_interval_ms,
      session.heartbeat_timeout_ms, session.connect_timeout_ms, session.discovery_interval_ms,
      session.connects_per_second })
    assert.same({ "dc1", "r1", "myapp", "me", "secret" }, { text(session.local_dc), text(session.local_rack),
      text(session.keyspace), text(session.username), text(session.password) })
    for _, limits in ipairs { { session["local"], 4, 16 }, { session.remote, 2, 8 } } do
      assert.same({ limits[2], limits[3], 90000, 10, 20 }, { limits[1].core, limits[1].max, limits[1].idle_timeout_ms,
        limits[1].reconnect_base_ms, limits[1].reconnect_max_ms })
    end
    assert.is_true(session.auth_optional)
    assert.is_true(session.local_may_follow)
    assert.equal(C.MP_COMPRESSION_SNAPPY, session.compression)
    local tls = read.tls
    assert.same({ true, "/c/ca.pem", "/c/own.pem", "/c/own.key", "/c/crl.pem", true, 3,
      tonumber(C.MP_TLS_HOST_ID), "node.test" }, { read.has_tls,
      text(tls.ca), text(tls.cert), text(tls.key), text(tls.crl), tls.unverified, tls.minor, tonumber(tls.identity),
      text(session.tls_name) })
    assert.is_false(session.client_timestamps)
    assert.same({ false, false, 7, 40, 1.5 }, { session.auto_discovery, session.failover.enabled,
      session.failover.max_moves, session.failover.delay_ms, session.failover.multiplier })
    assert.is_true(session.connect_remote)
    assert.is_false(session.tcp.no_delay)
    assert.is_false(session.tcp.keep_alive)
    assert.equal(4000, session.tcp.user_timeout_ms)
    assert.equal(C.MP_LOG_DEBUG, session.log_level)
    assert.equal("/b", text(chosen.paths[1]))
    local options = '{["childPolicy"]="RoundRobinPolicy",["shuffleReplicas"]=false}'
    local function choice(kind)
      local one = chosen.choices[kind]
      return { text(one.policy), text(one.options), text(one.key) }
    end
    assert.same({ "TokenAwarePolicy", options, "loadBalancing" }, choice(C.MP_POLICY_BALANCE))
    assert.same({ "DefaultRetryPolicy", '{["maxRetries"]=5,["retryDelay"]=10}', "retry" }, choice(C.MP_POLICY_RETRY))
    assert.same({ "ConstantReconnectionPolicy", '{["delay"]=250}', "reconnection" }, choice(C.MP_POLICY_RECONNECT))
    assert.same({ "ConstantSpeculativeExecutionPolicy", '{["delay"]=30,["maxSpeculativeExecutions"]=2}',
      "speculativeExecution" }, choice(C.MP_POLICY_SPECULATE))
    assert.is_nil(choice(C.MP_POLICY_FAILOVER)[1])
    assert.equal("app.lua:3", text(chosen.where))
    C.mp_script_config_deinit(read)
  end)

  it("is a pair that fits when one of core and max is given", function()
    local function pair(table)
      local session = of("{ pooling = " .. table .. " }")
      local result = { session["local"].core, session["local"].max }
      C.mp_script_config_deinit(read)
      C.lua_close(L)
      L = script_config.state()
      return result
    end
    assert.same({ 9, 9 }, pair "{ coreConnectionsPerHost = { ['0'] = 9 } }")
    assert.same({ 1, 9 }, pair "{ maxConnectionsPerHost = { ['0'] = 9 } }")
    assert.same({ 1, 1 }, pair "{ maxConnectionsPerHost = { ['0'] = 1 } }")
  end)

  it("connects to remote hosts when somebody may send there", function()
    local function remote(table)
      local session = of(table)
      local result = session.connect_remote
      C.mp_script_config_deinit(read)
      C.lua_close(L)
      L = script_config.state()
      return result
    end
    assert.is_true(remote "{ pooling = { coreConnectionsPerHost = { ['0'] = 2, ['1'] = 1 } } }")
    assert.is_true(remote "{ loadBalancing = { usedHostsPerRemoteDc = 1 } }")
    assert.is_true(remote "{ loadBalancing = { policy = 'RoundRobinPolicy' } }")
    assert.is_true(remote "{ loadBalancing = { childPolicy = 'RoundRobinPolicy' } }")
    assert.is_true(remote "{ loadBalancing = { policy = './mine.lua' } }")
    assert.is_false(remote "{ loadBalancing = { policy = 'DCAwareRoundRobinPolicy' } }")
    assert.is_false(remote("{ loadBalancing = { policy = './mine.lua' }, pooling = { "
      .. "coreConnectionsPerHost = { ['1'] = 0 } } }"))
  end)

  it("is refused when nobody has judged it", function()
    run "return { contactPoints = { 'a' } }"
    assert.equal(C.MP_ECONFIG, C.mp_script_config_read(L, -1, read))
    run "return 5"
    assert.equal(C.MP_ECONFIG, C.mp_script_config_read(L, -1, read))
    run "return setmetatable({}, { __index = function() error 'no' end })"
    assert.is_true(C.mp_script_config_read(L, -1, read) < 0)
  end)

  it("survives the lack of memory anywhere", function()
    run "return (require 'moonpool.config'.check({ contactPoints = { 'a', 'b' }, keyspace = 'k', policyPath = 'p' }))"
    local fails = 0
    for nth = 1, 50 do
      C.mp_mem_fail_at(nth, false)
      local rc = C.mp_script_config_read(L, -1, read)
      C.mp_mem_fail_at(0, false)
      if rc == 0 then
        C.mp_script_config_deinit(read)
        break
      end
      assert.equal(C.MP_ENOMEM, rc)
      fails = fails + 1
    end
    assert.is_true(fails >= 1 and fails < 50)
  end)
end)
