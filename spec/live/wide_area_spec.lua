-- SPDX-License-Identifier: Apache-2.0
-- Two datacentres of a real Cassandra: the home datacentre dies whole, the other one serves, and home comes back.
local live = require "spec.support.live"
local it = live.inCoroutine(it)

describe("a datacentre of a real Cassandra that dies", function()
  setup(function() live.cluster { nodes = 3, dcs = 2 } end)
  teardown(function() live.cassandra "down" end)

  local function move(told, from, to)
    for _, event in ipairs(told.failover) do
      local failover = event[1]
      if failover.level == "datacenter" and failover.from == from and failover.to == to then return failover end
    end
  end

  it("is replaced by the other one until it is well again, but never for local consistencies", function()
    local pool = live.pool {
      failover = { policy = "DatacentreFailoverPolicy", downFor = 1000, upFor = 2000 },
    }
    live.ddl(pool, "CREATE KEYSPACE IF NOT EXISTS wide WITH replication = " ..
      "{'class': 'NetworkTopologyStrategy', 'datacenter1': 2, 'datacenter2': 1}")
    live.ddl(pool, "CREATE TABLE IF NOT EXISTS wide.kv (k int PRIMARY KEY, v text)")
    local select = assert(pool:prepare "SELECT v FROM wide.kv WHERE k = ?")
    live.eventually(60000, "all replicas take a row", function()
      return (pool:execute("INSERT INTO wide.kv (k, v) VALUES (1, 'one')", nil,
        { consistency = "ALL", timeout = 20000 }))
    end)
    local told = live.listen(pool, "failover")
    local function read(consistency)
      return pool:execute(select, { 1 }, { consistency = consistency, timeout = 5000 })
    end
    assert.matches("^127%.0%.0%.[12]", assert(read "LOCAL_QUORUM").info.host)

    live.cassandraWhileRunning "kill 1"
    live.cassandraWhileRunning "kill 2"
    live.eventually(30000, "the other datacentre serves", function()
      return move(told, "datacenter1", "datacenter2")
    end)
    live.eventually(30000, "it answers", function() return (read "ONE") end)
    assert.matches("^127%.0%.0%.3", assert(read "ONE").info.host)
    assert.equal("datacenter2", pool:getMetrics().servingDataCenter)
    local answered, err = read "LOCAL_QUORUM"
    assert.is_nil(answered)
    assert.is_false(err.maybeApplied)
    for _, attempt in ipairs(err.attempts) do assert.is_nil(attempt.host:match "^127%.0%.0%.3") end

    live.cassandraWhileRunning "start 1"
    live.cassandraWhileRunning "start 2"
    live.eventually(60000, "home serves again", function() return move(told, "datacenter2", "datacenter1") end)
    live.eventually(30000, "it answers", function() return (read "LOCAL_QUORUM") end)
    assert.matches("^127%.0%.0%.[12]", assert(read "LOCAL_QUORUM").info.host)
    assert.matches("%S", move(told, "datacenter2", "datacenter1").reason)
    pool:close()
  end)
end)
