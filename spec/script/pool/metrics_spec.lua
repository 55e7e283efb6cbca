-- SPDX-License-Identifier: Apache-2.0
-- getMetrics(): a sliding window that does not depend on who asks.
local moonpool = require "moonpool"
local it = require("spec.support.world").inside(it)

local READ = "SELECT key FROM system.local"

local function near(expected, found, share)
  assert.is_true(math.abs(found - expected) <= expected * share, found .. " is not about " .. expected)
end

-- `rate` requests a second for so many seconds, evenly.
local function load(pool, rate, seconds, options)
  local began = moonpool.now()
  for i = 1, rate * seconds do
    pool:executeAsync(READ, nil, options)
    moonpool.sleep(math.max(0, began + i * 1000 / rate - moonpool.now()))
  end
end

describe("the metrics of a pool", function()
  it("are of the last ten seconds, not of the whole life", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    load(pool, 100, 15)
    near(100, pool:getMetrics().requestsPerSecond, 0.12)
    moonpool.sleep(5000)
    near(50, pool:getMetrics().requestsPerSecond, 0.2)
    assert.is_true(pool:getMetrics().averageLatency > 0)
    moonpool.sleep(7000)
    local metrics = pool:getMetrics()
    assert.equal(0, metrics.requestsPerSecond)
    assert.equal(0, metrics.averageLatency)
    assert.equal(0, metrics.latencyP999)
    assert.equal(1500, pool:getStats().requests)
  end)

  it("do not depend on who asks, or how often", function(world)
    local asked, alone = world:pool(), world:pool()
    world:waitUp(asked)
    world:waitUp(alone)
    local done
    world:spawn(function()
      while not done do
        asked:getMetrics()
        moonpool.sleep(7)
      end
    end)
    for _ = 1, 300 do
      asked:executeAsync(READ)
      alone:executeAsync(READ)
      moonpool.sleep(20)
    end
    done = true
    moonpool.sleep(100)
    local first, second = asked:getMetrics(), alone:getMetrics()
    near(first.requestsPerSecond, second.requestsPerSecond, 0.01)
    assert.equal(first.requests, second.requests)
    assert.same(first, asked:getMetrics())
  end)

  it("have an average and quantiles of what really took so long", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    moonpool.sleep(11000) -- what it took to connect is forgotten
    local seen = 0
    world.cluster:rule { statement = "slow", delay = 200 }
    world:schema "CREATE TABLE ks.slow (k int PRIMARY KEY)"
    for i = 1, 1000 do
      local slow = i % 100 == 0
      world:spawn(function()
        assert(pool:execute(slow and "SELECT k FROM ks.slow WHERE k = 1" or READ))
        seen = seen + 1
      end)
      moonpool.sleep(5)
    end
    world:eventually("all are answered", function() return seen == 1000 end)
    local metrics = pool:getMetrics()
    assert.is_true(metrics.latencyP50 < 5, metrics.latencyP50)
    assert.is_true(metrics.latencyP95 < 5, metrics.latencyP95)
    near(200, metrics.latencyP999, 0.1)
    near(200, metrics.latencyMax, 0.1)
    assert.is_true(metrics.averageLatency > 2 and metrics.averageLatency < 8, metrics.averageLatency)
    assert.equal(1000, metrics.requests)
  end)

  it("tell hosts apart", { nodes = 3 }, function(world)
    local pool = world:pool { loadBalancing = { policy = "RoundRobinPolicy" } }
    world:waitUp(pool)
    world.cluster:rule { node = 2, statement = "system.local", delay = 50 }
    world.cluster:rule { node = 3, statement = "system.local", error = "SERVER_ERROR" }
    load(pool, 60, 5, { isIdempotent = true })
    world:eventually("all are answered", function() return pool:getStats().requestsInFlight == 0 end)
    local by_address = {}
    for _, host in ipairs(pool:getMetrics().hosts) do by_address[host.address] = host end
    local good, slow, bad = by_address[world:host(1)], by_address[world:host(2)], by_address[world:host(3)]
    assert.is_true(slow.averageLatency > 50 and good.averageLatency < 10)
    assert.is_true(slow.latencyP50 >= 50)
    assert.equal(0, good.errorRate)
    near(1, bad.errorRate, 0.05)
    assert.is_true(bad.errors > 50)
    assert.equal("up", good.status)
    assert.equal(1, good.connections)
    assert.equal("datacenter1", good.datacenter)
    near(pool:getMetrics().requests, good.attempts + slow.attempts, 0.1)
  end)

  it("count waits for room and refusals of the queue", { nodes = 1 }, function(world)
    local pool = world:pool { maxQueuedRequests = 20, pooling = { maxRequestsPerConnection = 4,
      maxConnectionsPerHost = { ["0"] = 1 } } }
    local read = assert(pool:prepare(READ))
    world.cluster:rule { opcode = "EXECUTE", delay = 50 }
    local futures, failed = {}, 0
    for i = 1, 30 do futures[i] = pool:executeAsync(read) end
    for i = 1, 30 do failed = failed + (futures[i]:wait() and 0 or 1) end
    local metrics = pool:getMetrics()
    assert.equal(6, failed)
    assert.equal(6, metrics.queueRefused)
    assert.is_true(metrics.queued >= 20)
    assert.equal(24, metrics.requests) -- what was refused at once was none
  end)

  it("show what the retry budget refused", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    world.cluster:rule { statement = "system.local", error = "OVERLOADED" }
    for _ = 1, 1200 do pool:executeAsync(READ, nil, { isIdempotent = true }) end
    world:eventually("all have failed", function() return pool:getStats().errors == 1200 end)
    local metrics, stats = pool:getMetrics(), pool:getStats()
    assert.is_true(metrics.retriesRefused > 0)
    for _, name in ipairs { "retries", "retriesRefused", "errors", "requests" } do
      assert.equal(stats[name], metrics[name], name)
    end
    assert.equal(1, metrics.errorRate)
  end)

  it("measure utilization and the turnover of connections", { nodes = 1 }, function(world)
    local pool = world:pool { requestTimeout = 20000, attemptTimeout = 20000, pooling = {
      maxRequestsPerConnection = 100, maxConnectionsPerHost = { ["0"] = 1 } } }
    local read = assert(pool:prepare(READ))
    assert.equal(0, pool:getMetrics().poolUtilization)
    local rule = world.cluster:rule { opcode = "EXECUTE", delay = 12000 }
    for _ = 1, 40 do pool:executeAsync(read) end
    moonpool.sleep(11500)
    near(0.4, pool:getMetrics().poolUtilization, 0.01)
    rule:remove()
    moonpool.sleep(12000)
    assert.equal(0, pool:getMetrics().poolUtilization)
    assert.equal(0, pool:getMetrics().connectionTurnover)
    for _ = 1, 3 do
      world.sim:cut(1)
      world:waitStatus(pool, 1, "up")
      moonpool.sleep(1500)
    end
    near(18, pool:getMetrics().connectionTurnover, 0.35) -- three in ten seconds, for a minute
    moonpool.sleep(12000)
    assert.equal(0, pool:getMetrics().connectionTurnover)
  end)

  it("have a window of metricsInterval, which may change while the pool runs", function(world)
    local pool = world:pool { pooling = { metricsInterval = 2000 } }
    world:waitUp(pool)
    load(pool, 100, 4)
    local metrics = pool:getMetrics()
    near(100, metrics.requestsPerSecond, 0.15)
    near(2100, metrics.window, 0.1)
    moonpool.sleep(2500)
    assert.equal(0, pool:getMetrics().requestsPerSecond)
  end)

  it("are told by an event, once in each interval", function(world)
    local pool = world:pool { pooling = { metricsInterval = 1000 } }
    local told = world:listen(pool, "metrics")
    world:waitUp(pool)
    load(pool, 50, 5)
    assert.is_true(#told.metrics >= 4 and #told.metrics <= 5, #told.metrics)
    local metrics = told.metrics[3][1]
    near(50, metrics.requestsPerSecond, 0.15)
    assert.equal(3, metrics.hostsUp)
    assert.equal(3, #metrics.hosts)
    pool:close()
    local count = #told.metrics
    moonpool.sleep(3000)
    assert.equal(count, #told.metrics)
  end)

  it("can be switched off: then there is what stands, and no event", function(world)
    local pool = world:pool { pooling = { enableMetrics = false, metricsInterval = 1000 } }
    local told = world:listen(pool, "metrics")
    world:waitUp(pool)
    load(pool, 50, 3)
    local metrics = pool:getMetrics()
    assert.equal(3, metrics.hostsUp)
    assert.equal(3, metrics.totalConnections)
    assert.is_nil(metrics.requestsPerSecond)
    assert.is_nil(metrics.hosts)
    assert.equal(0, #told.metrics)
  end)

  it("stand in the manual, each field of them and no other", function(world)
    local told, inside = { pool = {}, host = {} }, nil
    for line in io.lines(MOONPOOL_ROOT .. "/docs/lua-api.md") do
      if line:find("| field of `getMetrics()` |", 1, true) then inside = told.pool end
      if line:find("| field of a host in it |", 1, true) then inside = told.host end
      inside = line:find "^|" and inside or nil
      for names in (inside and line:match "^| (`.-) |" or ""):gmatch "`(%w+)`" do inside[names] = true end
    end
    local pool = world:pool { loadBalancing = { shadow = "RoundRobinPolicy" } }
    world:waitUp(pool)
    local found, metrics = { pool = {}, host = {} }, pool:getMetrics()
    for name in pairs(metrics) do found.pool[name] = true end
    for name in pairs(metrics.hosts[1]) do found.host[name] = true end
    assert.same(found, told)
  end)
end)

describe("connections that come and go", function()
  it("are told so that added minus removed is what stands", function(world)
    local pool = world:newPool { pooling = { maxConnectionsPerHost = { ["0"] = 3 } } }
    local told = world:listen(pool, "connectionAdded", "connectionRemoved", "connectionLost")
    assert(pool:connect())
    world:waitUp(pool)
    local function stands()
      moonpool.sleep(200)
      local stats = pool:getStats()
      assert.equal(stats.totalConnections, #told.connectionAdded - #told.connectionRemoved)
      assert.equal(stats.totalConnections, stats.connectionsOpened - stats.connectionsClosed)
    end
    stands()
    for _ = 1, 3 do
      world.sim:cut(2)
      world:waitUp(pool)
      stands()
    end
    world.cluster:kill(3)
    world:waitStatus(pool, 3, "down")
    stands()
    world.cluster:start(3)
    world:waitUp(pool)
    stands()
    assert.is_true(#told.connectionLost >= 2)
    pool:close()
    moonpool.sleep(100)
    assert.equal(#told.connectionAdded, #told.connectionRemoved)
  end)
end)
