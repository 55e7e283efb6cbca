-- SPDX-License-Identifier: Apache-2.0
-- Bottlenecks whose cause is known, because the spec makes them: each must be named, and nothing else be said.
local moonpool = require "moonpool"
local it = require("spec.support.world").inside(it)

local READ = "SELECT key FROM system.local"

-- `rate` requests a second for so many seconds; make(i) gives what execute takes.
local function load(pool, rate, seconds, make)
  local began = moonpool.now()
  for i = 1, rate * seconds do
    if make then pool:executeAsync(make(i)) else pool:executeAsync(READ) end
    moonpool.sleep(math.max(0, began + i * 1000 / rate - moonpool.now()))
  end
end

local function settle(world, pool)
  world:eventually("all are answered", function()
    local stats = pool:getStats()
    return stats.requestsInFlight + stats.requestsQueued == 0
  end, 30000)
end

local function kinds(list)
  local set, names = {}, {}
  for _, each in ipairs(list) do set[each.kind] = each end
  for kind in pairs(set) do names[#names + 1] = kind end
  table.sort(names)
  return names, set
end

-- Just these kinds, each whole.
local function named(pool, ...)
  local analysis = assert(pool:analyzePerformance())
  local names, set = kinds(analysis.bottlenecks)
  local expected = { ... }
  table.sort(expected)
  local texts = {}
  for i, each in ipairs(analysis.bottlenecks) do texts[i] = tostring(each) end
  assert.same(expected, names, table.concat(texts, "\n"))
  for i, each in ipairs(analysis.bottlenecks) do
    for _, field in ipairs { "measurement", "measured", "threshold", "key", "message", "advice" } do
      assert(each[field] ~= nil, each.kind .. " does not say its " .. field)
    end
    local recommendation = analysis.recommendations[i]
    assert.equal(each.key, recommendation.key)
    assert.equal(tostring(each), tostring(recommendation))
  end
  return set, analysis
end

describe("analyzePerformance", function()
  it("is silent on a healthy run, with its figures", { nodes = 6, dcs = 2 }, function(world)
    world:schema "CREATE TABLE ks.items (id int PRIMARY KEY)"
    local pool = world:pool()
    world:waitUp(pool, 3)
    named(pool)
    local read = assert(pool:prepare "SELECT id FROM ks.items WHERE id = ?")
    load(pool, 200, 12, function(i) return read, { i % 997 } end)
    settle(world, pool)
    local _, analysis = named(pool)
    assert.is_true(analysis.avgRequestTime > 0 and analysis.avgRequestTime < 5)
    assert.is_true(analysis.avgConnectionTime > 1 and analysis.avgConnectionTime < 5) -- of three
    assert.equal(3, #pool:getConnectionDetails())
    assert.equal(1, analysis.poolEfficiency)
    local health = assert(pool:getHealthStatus())
    assert.equal("healthy", health.overall)
    assert.same({}, health.recommendations)
  end)

  it("names a slow host", function(world)
    local pool = world:pool { loadBalancing = { policy = "RoundRobinPolicy" } }
    world:waitUp(pool)
    world.cluster:rule { node = 2, statement = "system.local", delay = 30 }
    load(pool, 90, 5)
    settle(world, pool)
    local found = named(pool, "slowHost").slowHost
    assert.equal(world:host(2), found.host)
    assert.is_true(found.measured > 30 and found.measured < 40)
    assert.matches(world:host(2) .. " is slow: it answers in 30", found.message, 1, true)
  end)

  it("is silent when all hosts are slow alike, and when a remote datacentre is far away",
    { nodes = 6, dcs = 2 }, function(world)
      local pool = world:pool { loadBalancing = { policy = "DCAwareRoundRobinPolicy", usedHostsPerRemoteDc = 3 } }
      world.cluster:rule { statement = "system.local", delay = 60 }
      load(pool, 90, 5)
      settle(world, pool)
      named(pool)
    end)

  it("names a pool that is too small", { nodes = 1 }, function(world)
    local pool = world:pool { requestTimeout = 20000, attemptTimeout = 20000,
      pooling = { maxConnectionsPerHost = { ["0"] = 1 } } }
    world.cluster:rule { statement = "system.local", delay = 1000 }
    load(pool, 1300, 6)
    local found = named(pool, "poolTooSmall").poolTooSmall
    assert.equal("pooling.maxConnectionsPerHost", found.key)
    assert.matches("each of its 1 connections had 1024 requests or more in flight", found.message, 1, true)
    settle(world, pool)
  end)

  it("names stream ids that are exhausted", { nodes = 1 }, function(world)
    local pool = world:pool { requestTimeout = 20000, attemptTimeout = 20000,
      pooling = { maxRequestsPerConnection = 16, maxConnectionsPerHost = { ["0"] = 1 } } }
    world.cluster:rule { statement = "system.local", delay = 100 }
    load(pool, 200, 4)
    local found = named(pool, "streamIdsExhausted").streamIdsExhausted
    assert.equal("pooling.maxRequestsPerConnection", found.key)
    assert.matches("from 16, up to 2048", found.advice, 1, true)
    settle(world, pool)
  end)

  it("names one hot partition, by its token", function(world)
    world:schema "CREATE TABLE ks.items (id int PRIMARY KEY)"
    local pool = world:pool()
    local read = assert(pool:prepare "SELECT id FROM ks.items WHERE id = ?")
    local hot = world.random(1000)
    load(pool, 1000, 8, function(i) return read, { world.random(2) == 0 and hot or i % 997 + 1000 } end)
    settle(world, pool)
    local found = named(pool, "hotPartition").hotPartition
    assert.is_true(found.measured > 0.35 and found.measured < 0.65, found.measured)
    assert.matches("^%-?%d+$", found.token)
    assert.matches("token " .. found.token, found.message, 1, true)
  end)

  it("names a remote datacentre that serves", { nodes = 4, dcs = 2 }, function(world)
    local pool = world:pool {
      failover = { policy = "DatacentreFailoverPolicy", downFor = 1000, upFor = 60000, allowLocalConsistency = true } }
    world:waitUp(pool, 4)
    world.cluster:kill(1)
    world.cluster:kill(2)
    world:eventually("the other one serves", function() return pool:getMetrics().servingDataCenter == "datacenter2" end)
    moonpool.sleep(12000)
    load(pool, 50, 4)
    settle(world, pool)
    local found = named(pool, "remoteDatacenter").remoteDatacenter
    assert.equal("failover.policy", found.key)
    assert.matches("datacenter2 instead of datacenter1", found.message, 1, true)
    assert.equal("degraded", pool:getHealthStatus().overall)
  end)

  it("names a storm of reconnects", function(world)
    local pool = world:pool { pooling = { coreConnectionsPerHost = { ["0"] = 2 }, reconnectBaseDelay = 50,
      reconnectMaxDelay = 200 } }
    world:waitUp(pool)
    for _ = 1, 12 do
      for node = 1, 3 do world.sim:cut(node) end
      moonpool.sleep(700)
    end
    world:waitUp(pool)
    local found = named(pool, "reconnectStorm").reconnectStorm
    assert.is_true(found.measured >= 2, found.measured)
    moonpool.sleep(12000)
    named(pool)
  end)

  it("names a handler that blocks the loop, by its place", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local handled = 0
    pool:on("connectionLost", function()
      world.sim:jump(40) -- as os.execute would
      handled = handled + 1
    end)
    pool:on("connectionAdded", function() handled = handled + 1 end)
    world.sim:cut(1)
    world:eventually("handled", function() return handled >= 2 end)
    local found = named(pool, "blockedLoop").blockedLoop
    assert.matches("a handler of 'connectionLost' (spec/script/pool/analysis_spec.lua:", found.message, 1, true)
    assert.is_true(found.measured >= 40 and found.measured < 45, found.measured)
    assert.equal("handlers", found.key)
    moonpool.sleep(12000)
    named(pool) -- that was then
  end)

  it("names a host that fails, timeouts, and a retry budget that is spent", function(world)
    local pool = world:pool { requestTimeout = 300, attemptTimeout = 300 }
    world:waitUp(pool)
    world.cluster:rule { node = 3, statement = "system.local", error = "SERVER_ERROR" }
    load(pool, 90, 3, function() return READ, nil, { isIdempotent = true } end)
    settle(world, pool)
    assert.equal(world:host(3), named(pool, "failingHost").failingHost.host)
    world.cluster:clearRules()
    world.cluster:rule { statement = "system.local", swallow = true }
    load(pool, 90, 3)
    settle(world, pool)
    named(pool, "failingHost", "timeouts")
    world.cluster:clearRules()
    moonpool.sleep(12000)
    world.cluster:rule { statement = "system.local", error = "OVERLOADED" }
    for _ = 1, 1300 do pool:executeAsync(READ, nil, { isIdempotent = true }) end
    settle(world, pool)
    named(pool, "failingHost", "overload")
  end)

  it("knows also what getMetrics() is not to tell, and is an error when the pool is closed", function(world)
    local off = world:pool { pooling = { enableMetrics = false } }
    world:waitUp(off)
    load(off, 50, 1)
    settle(world, off)
    assert.is_true(off:analyzePerformance().avgRequestTime > 0)
    assert.equal("healthy", off:getHealthStatus().overall)
    off:close()
    for _, method in ipairs { "analyzePerformance", "getHealthStatus" } do
      local result, err = off[method](off)
      assert.is_nil(result)
      assert.equal("CLOSED", err.code)
    end
  end)
end)

describe("getHealthStatus", function()
  it("tells hosts apart, and what to do", function(world)
    local pool = world:pool { healthCheck = { enabled = true, interval = 1000, timeout = 400 } }
    world:waitUp(pool)
    load(pool, 60, 2)
    local health = assert(pool:getHealthStatus())
    assert.equal("healthy", health.overall)
    assert.equal(3, #health.hosts)
    for _, host in ipairs(health.hosts) do
      assert.equal("up", host.status)
      assert.equal(1, host.connections)
      assert.is_true(host.averageLatency > 0)
      assert.equal(0, host.errorRate)
      assert.is_true(host.probe.latency > 0)
    end
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    health = pool:getHealthStatus()
    assert.equal("degraded", health.overall)
    local advice = health.recommendations[1]
    assert.equal(world:host(2), advice.host)
    assert.equal("reconnection.policy", advice.key)
    assert.is_number(advice.measured)
    assert.equal(0, advice.threshold)
    assert.matches(world:host(2) .. " is down", tostring(advice), 1, true)
    world.cluster:kill(1)
    world.cluster:kill(3)
    world:eventually("all are down", function() return pool:getHealthStatus().overall == "unhealthy" end)
  end)

  it("asks each host by the query, in its time, and hears when one does not do its work", function(world)
    local log = {}
    local pool = world:pool { healthCheck = { enabled = true, interval = 900, timeout = 300,
      query = "SELECT bootstrapped FROM system.local" } }
    world:waitUp(pool)
    local rules = {}
    for node = 1, 3 do rules[node] = world.cluster:rule { node = node, statement = "bootstrapped", delay = 1 } end
    moonpool.sleep(9000)
    for node = 1, 3 do
      local asked = rules[node]:hits()
      assert.is_true(asked >= 9 and asked <= 11, asked)
    end
    world.cluster:clearRules()
    world.cluster:rule { node = 2, statement = "bootstrapped", swallow = true }
    world.cluster:rule { node = 3, statement = "bootstrapped", error = "SERVER_ERROR" }
    moonpool.sleep(3000)
    local health = pool:getHealthStatus()
    local by_address = {}
    for _, host in ipairs(health.hosts) do by_address[host.address] = host end
    assert.equal("degraded", health.overall)
    assert.equal("up", by_address[world:host(1)].status)
    assert.equal("failing", by_address[world:host(2)].status)
    assert.equal("no answer within 300 ms", by_address[world:host(2)].probe.error)
    assert.equal("SERVER_ERROR", by_address[world:host(3)].probe.error)
    assert.is_true(by_address[world:host(3)].probe.failures >= 2)
    for _, advice in ipairs(health.recommendations) do log[#log + 1] = advice.key end
    assert.same({ "healthCheck.query", "healthCheck.query" }, log)
    assert(pool:execute(READ)) -- routing is not touched
    world.cluster:clearRules()
    world:eventually("they are well", function() return pool:getHealthStatus().overall == "healthy" end)
  end)

  it("asks nobody unless it is switched on, also while it runs", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local before = world.cluster:requests()
    moonpool.sleep(100000)
    assert.is_true(world.cluster:requests() - before < 10) -- the topology
    assert.is_nil(pool:getHealthStatus().hosts[1].probe)
  end)

  it("asks a host that goes while it is asked once only, and leaves nothing behind", function(world)
    local pool = world:pool { healthCheck = { enabled = true, interval = 100, timeout = 5000 } }
    world:waitUp(pool)
    world.cluster:rule { statement = "release_version", swallow = true, node = 2 }
    moonpool.sleep(500)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(500)
    pool:close()
  end)

  it("reads many hosts one after the other", { nodes = 60 }, function(world)
    local pool = world:pool { healthCheck = { enabled = true, interval = 300 } }
    world:waitUp(pool, 60, 60000)
    local before = world.cluster:requests()
    moonpool.sleep(3000)
    local asked = world.cluster:requests() - before
    assert.is_true(asked > 500 and asked < 700, asked)
  end)
end)
