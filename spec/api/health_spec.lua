-- SPDX-License-Identifier: Apache-2.0
-- The C API: how well a session is, and why it is slow. The rules themselves are tried in
-- spec/script/pool/analysis_spec.lua.
local api = require "spec.support.capi"
local C, ffi = api.C, api.ffi

local function on_cluster(name, body)
  it(name, function() api.on_cluster(body) end)
end

local function status(env, session, node)
  for i = 0, C.moonpool_session_hosts(session) - 1 do
    local host = C.moonpool_session_host(session, i)
    if ffi.string(host.address) == ("127.0.0.%d:%d"):format(node, env.port) then return ffi.string(host.status) end
  end
end

describe("how well a session is", function()
  local function findings(list, count)
    local found = {}
    for i = 0, tonumber(count) - 1 do
      local one = list[i]
      found[ffi.string(one.kind)] = { host = ffi.string(one.host), key = ffi.string(one.key),
        measurement = ffi.string(one.measurement), message = ffi.string(one.message), advice = ffi.string(one.advice),
        measured = one.measured, threshold = one.threshold }
    end
    return found
  end

  local function health(session)
    local shown = C.moonpool_session_health(session)
    assert(shown ~= nil, ffi.string(C.moonpool_last_message()))
    local hosts = {}
    for i = 0, tonumber(shown.host_count) - 1 do
      local host = shown.hosts[i]
      hosts[ffi.string(host.address):match "127.0.0.(%d)"] = { status = ffi.string(host.status),
        breaker = ffi.string(host.breaker), connections = host.connections, probes = tonumber(host.probes),
        error = ffi.string(host.probe_error), failures = host.probe_failures }
    end
    return ffi.string(shown.overall), findings(shown.findings, shown.finding_count), hosts
  end

  on_cluster("is told in words, as of a pool of Lua's", function(env)
    local session = assert(env:open((env.config:gsub("keyspace", "retry = { maxRetries = 0 }, keyspace", 1))))
    assert.equal("unhealthy", (health(session))) -- nothing is up
    assert.is_nil(env:connect(session))
    for node = 1, 3 do env:wait("up", function() return status(env, session, node) == "up" end) end
    for _ = 1, 30 do assert(env:query(session, "SELECT key FROM system.local")) end
    local overall, found, hosts = health(session)
    assert.same({ "healthy", {} }, { overall, found })
    assert.same({ status = "up", breaker = "", connections = 1, probes = 0, error = "", failures = 0 }, hosts["2"])
    local performance = C.moonpool_session_performance(session)
    assert.equal(0, tonumber(performance.bottleneck_count))
    assert.is_true(performance.connect_mean_ms > 0 and performance.latency_mean_ms > 0)
    assert.equal(1, performance.efficiency)

    env.cluster:kill(3)
    env:wait("down", function() return status(env, session, 3) == "down" end)
    overall, found, hosts = health(session)
    assert.equal("degraded", overall)
    assert.equal(("127.0.0.3:%d"):format(env.port), found.hostDown.host)
    assert.equal("reconnection.policy", found.hostDown.key)
    assert.matches("is down for", found.hostDown.message)
    assert.matches("look at that node", found.hostDown.advice)
    assert.equal("down", hosts["3"].status)

    env.cluster:rule { statement = "system.local", error = "OVERLOADED" }
    for _ = 1, 60 do env:query(session, "SELECT key FROM system.local") end
    overall, found = health(session)
    assert.equal("unhealthy", overall)
    assert.matches("%% of the requests fail", found.errors.message)
    performance = C.moonpool_session_performance(session)
    local bottlenecks = findings(performance.bottlenecks, performance.bottleneck_count)
    assert.equal("errorRate", bottlenecks.failingHost.measurement)
    assert.is_true(bottlenecks.failingHost.measured >= bottlenecks.failingHost.threshold)
    assert.is_true(performance.efficiency < 1)
    env:close(session)
  end)

  on_cluster("knows health checks and breakers", function(env)
    local session = assert(env:open((env.config:gsub("keyspace", "healthCheck = { enabled = true, interval = 1000, " ..
      "timeout = 500, query = 'SELECT probe FROM system.local' }, circuitBreaker = { enabled = true }, keyspace", 1))))
    assert.is_nil(env:connect(session))
    env.cluster:rule { statement = "probe", error = "OVERLOADED" }
    local overall, found, hosts
    env:wait("a failure", function()
      overall, found, hosts = health(session)
      return found.hostFailing ~= nil
    end)
    assert.equal("degraded", overall)
    local node = found.hostFailing.host:match "127.0.0.(%d)"
    assert.same({ "failing", "closed" }, { hosts[node].status, hosts[node].breaker })
    assert.is_true(hosts[node].probes > 0 and hosts[node].failures > 0 and #hosts[node].error > 0)
    env:close(session)
  end)
end)
