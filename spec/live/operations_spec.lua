-- SPDX-License-Identifier: Apache-2.0
-- What people do to a pool while it runs, and what it does by itself, on a real Cassandra: no request is lost by it.
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"

local FIRST, SECOND = "127.0.0.1:9042", "127.0.0.2:9042"

local function host_of(pool, address)
  for _, host in ipairs(pool:getHosts()) do
    if host.address == address then return host end
  end
end

local function answered(pool)
  local stats = pool:getStats()
  return stats.requests - stats.errors
end

local function eventually(what, condition) live.eventually(60000, what, condition) end

local function with_load(options, body)
  local pool = live.pool(options)
  local insert, select = live.rows(pool, "operations")
  eventually("all hosts are up", function() return pool:getMetrics().hostsUp == 3 end)
  local load = live.read_and_write(pool, insert, select)
  local ok, err = pcall(body, pool, select)
  load:stop()
  assert(ok, err)
  assert.same({}, load.failed)
  assert.is_true(load.requests > 50)
  pool:close()
end

describe("a pool on a real Cassandra", function()
  setup(function() live.cluster() end)

  it("gives up a node and takes it again while requests run", function()
    with_load({ loadBalancing = { policy = "RoundRobinPolicy" } }, function(pool)
      local told = live.listen(pool, "hostRemoved", "hostAdded")
      assert.is_true(pool:removeNode(SECOND, { drainConnections = true, drainTimeout = 30000 }))
      assert.is_nil(host_of(pool, SECOND))
      moonpool.sleep(1000)
      assert.is_nil(host_of(pool, SECOND))
      assert.is_true(pool:addNode(SECOND))
      eventually("it serves again", function() return host_of(pool, SECOND).status == "up" end)
      eventually("both are told", function() return #told.hostRemoved == 1 and #told.hostAdded == 1 end)
    end)
  end)

  it("pauses, drains, resumes, reconnects and resizes a host while requests run", function()
    with_load({}, function(pool, select)
      assert.is_true(pool:pause(SECOND))
      for k = 0, 49 do
        assert.not_equal(SECOND, assert(pool:execute(select, { k }, { consistency = "ONE" })).info.host)
      end
      assert.is_true(pool:resume(SECOND))
      assert.is_true(pool:drain(SECOND))
      assert.equal(0, host_of(pool, SECOND).connections)
      assert.is_true(pool:resume(SECOND))
      eventually("it is connected again", function() return host_of(pool, SECOND).connections > 0 end)
      assert.is_true(pool:reconnect(FIRST))
      assert.is_true(pool:resize(FIRST, { core = 3, max = 4 }))
      eventually("it has three connections", function() return host_of(pool, FIRST).connections >= 3 end)
    end)
  end)

  it("changes its policies while requests run: each of those that ship serves", function()
    with_load({}, function(pool)
      for _, policy in ipairs { { "RoundRobinPolicy" }, { "DCAwareRoundRobinPolicy" }, { "LeastLoadedPolicy" },
        { "LatencyAwarePolicy" }, { "WeightedPolicy" }, { "RegionPriorityPolicy" },
        { "AllowListPolicy", { hosts = { "127.0.0.1" } } }, { "DenyListPolicy", { hosts = { "127.0.0.1" } } },
        { "TokenAwarePolicy" } } do
        assert(pool:usePolicy("balance", policy[1], policy[2]))
        local before = answered(pool)
        eventually(policy[1] .. " serves", function() return answered(pool) > before + 50 end)
      end
    end)
  end)

  it("makes connections as the load grows, and closes them again", function()
    local pool = live.pool { pooling = { maxRequestsPerConnection = 8, adaptivePooling = { minConnections = 1,
      maxConnections = 4, evaluationInterval = 250 } } }
    local _, select = live.rows(pool, "operations")
    local told = live.listen(pool, "poolResize")
    local load = live.load(96, function(i, n)
      return pool:execute(select, { (i * 7 + n) % 100 }, { consistency = "QUORUM", timeout = 12000 })
    end)
    eventually("it grows", function() return pool:getStats().totalConnections > 6 end)
    load:stop()
    assert.same({}, load.failed)
    eventually("it shrinks", function() return pool:getStats().totalConnections == 3 end)
    assert.is_true(#told.poolResize >= 2)
    pool:close()
  end)

  it("spares a node that does not answer, by its breaker and its health probe, and uses it again", function()
    local pool = live.pool { circuitBreaker = { enabled = true, failureThreshold = 3, recoveryTimeout = 1000 },
      healthCheck = { enabled = true, interval = 500, timeout = 400, query = "SELECT key FROM system.local" },
      loadBalancing = { policy = "RoundRobinPolicy" }, pooling = { heartBeatInterval = 30000 } }
    local _, select = live.rows(pool, "operations")
    eventually("all are healthy", function() return pool:getHealthStatus().overall == "healthy" end)
    local told = live.listen(pool, "breakerOpen", "breakerClose")
    -- Whose time is up before a heartbeat finds the node dead: that is what the breaker is for.
    local load = live.load(8, function(i, n)
      return pool:execute(select, { (i * 7 + n) % 100 }, { consistency = "ONE", timeout = 400 })
    end)
    live.cassandraWhileRunning "pause 2"
    local ok, err = pcall(function()
      eventually("the breaker opens", function() return host_of(pool, SECOND).breaker == "open" end)
      assert.is_true(#told.breakerOpen > 0)
      assert.not_equal("healthy", pool:getHealthStatus().overall)
    end)
    live.cassandraWhileRunning "resume 2"
    load:stop()
    assert(ok, err)
    for _, failure in ipairs(load.failed) do assert.equal("TIMEOUT", failure.code) end
    eventually("it closes", function()
      pool:execute(select, { 1 }, { consistency = "ONE" })
      return host_of(pool, SECOND).breaker == "closed"
    end)
    eventually("all are healthy again", function() return pool:getHealthStatus().overall == "healthy" end)
    pool:close()
  end)
end)
