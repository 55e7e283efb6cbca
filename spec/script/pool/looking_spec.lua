-- SPDX-License-Identifier: Apache-2.0
-- What the functions that look at a pool say, whole: every field, and no other.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local SELECT = "SELECT key FROM system.local"

local function changed(fields, changes)
  local all = {}
  for name, value in pairs(fields) do all[name] = value end
  for name, value in pairs(changes or {}) do all[name] = value ~= "none" and value or nil end
  return all
end

describe("looking at a pool tells", function()
  it_in("of hosts what they are, how they are held and what they carry", { nodes = 4, dcs = 2 }, function(world)
    local pool = world:pool { circuitBreaker = { enabled = true }, pooling = { maxConnectionsPerHost = { ["0"] = 3 } } }
    world:waitUp(pool, 2)
    local function hosts()
      local list = {}
      for _, host in ipairs(pool:getHosts()) do list[host.address] = host end
      return list
    end
    local listed = hosts()
    local here, there = {}, {}
    for address, host in pairs(listed) do table.insert(host.distance == "local" and here or there, address) end
    table.sort(here)
    assert.same({ 2, 2 }, { #here, #there })
    local version = listed[here[1]].releaseVersion
    assert.matches("^%d+%.%d", version)
    local fresh = { address = here[1], datacenter = "datacenter1", rack = "rack1", releaseVersion = version,
      distance = "local", status = "up", weight = 1, breaker = "closed", connections = 1, wantedConnections = 1,
      maxConnections = 3, utilization = 0, inFlight = 0, requests = 0, averageLatency = 0 }
    fresh.rack = listed[here[1]].rack
    assert.same(fresh, listed[here[1]])
    local away = listed[there[1]]
    assert.same(changed(fresh, { address = there[1], datacenter = "datacenter2", rack = away.rack, distance = "ignored",
      status = "new", connections = 0, wantedConnections = away.wantedConnections, maxConnections = 0 }), away)

    assert(pool:setHostWeight(here[1], 2.5))
    assert(pool:setHostTags(here[1], { "canary", "big" }))
    for _ = 1, 5 do assert(pool:execute(SELECT, nil, { host = here[1] })) end
    local used = hosts()[here[1]]
    assert.is_true(used.averageLatency > 0 and used.averageLatency < 100)
    table.sort(used.tags)
    assert.same(changed(fresh, { weight = 2.5, tags = { "big", "canary" }, requests = 5,
      averageLatency = used.averageLatency }), used)

    local rule = world.cluster:rule { statement = "system.local", delay = 200 }
    local future = pool:executeAsync(SELECT, nil, { host = here[1] })
    moonpool.sleep(100)
    local busy = hosts()[here[1]]
    assert.same({ 1, 6 }, { busy.inFlight, busy.requests })
    assert.is_true(busy.utilization > 0 and busy.utilization < 0.01)
    assert(future:wait())
    rule:remove()

    assert(pool:pause(here[2]))
    local held = hosts()[here[2]]
    assert.same({ "paused", "paused" }, { held.status, held.held })
    assert.same(changed(fresh, { address = here[2], rack = held.rack, status = "paused", held = "paused",
      requests = held.requests, averageLatency = held.averageLatency }), held)
    assert(pool:resume(here[2], { weight = 0.25 }))
    held = hosts()[here[2]]
    assert.same({ "up", 0.25 }, { held.status, held.share })
    assert.is_nil(held.held)
  end)

  it_in("of connections whose they are and since when", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local began = core.wallClock()
    moonpool.sleep(3000)
    assert(pool:execute(SELECT, nil, { host = world:host(2) }))
    moonpool.sleep(2000)
    local ids, mine = {}, nil
    local list = pool:getConnectionDetails()
    assert.equal(3, #list)
    for _, details in ipairs(list) do
      assert.is_nil(ids[details.id])
      ids[details.id] = true
      if details.host == world:host(2) then mine = details end
    end
    assert.is_true(math.abs(mine.createdAt - began) < 1000, mine.createdAt - began)
    assert.is_true(math.abs(mine.lastUsedAt - began - 3000) < 1000, mine.lastUsedAt - began)
    assert.same({ id = mine.id, host = world:host(2), state = "ready", inFlightRequests = 0,
      createdAt = mine.createdAt, lastUsedAt = mine.lastUsedAt }, mine)
  end)

  it_in("of policies what they are and how often they were asked", function(world)
    local pool = world:pool { retry = { policy = "DefaultRetryPolicy" } }
    world:waitUp(pool)
    for _ = 1, 7 do assert(pool:execute(SELECT)) end
    moonpool.sleep(1500)
    local list = pool:policies()
    local balance = list.balance
    assert.is_true(balance.ageMs >= 1500 and balance.ageMs < 5000)
    assert.is_true(math.abs(core.wallClock() - balance.since - balance.ageMs) < 5)
    assert.same({ name = "TokenAwarePolicy", file = balance.file, generation = 1, calls = 7, errors = 0, reloads = 0,
      refused = 0, nsPerCall = balance.nsPerCall, bytesPerCall = 0, fuelPerCall = balance.fuelPerCall,
      costClass = "fast", since = balance.since,
      ageMs = balance.ageMs, lastError = "" }, balance)
    assert.equal(0, list.retry.calls)
    local kinds = {}
    for kind in pairs(list) do kinds[#kinds + 1] = kind end
    table.sort(kinds)
    assert.same({ "balance", "retry" }, kinds)
  end)

  it_in("what its analysis is made of", function(world)
    local pool = world:pool { healthCheck = { enabled = true, interval = 1000, timeout = 500 },
      circuitBreaker = { enabled = true }, pooling = { maxRequestsPerConnection = 77 } }
    world:waitUp(pool)
    moonpool.sleep(5000)
    local seen = core.getAnalysis(pool)
    local one = seen.hosts[world:host(1)]
    assert.is_true(seen.connectTime > 0 and seen.connectTime < 100)
    assert.is_true(one.since > 4000 and one.since < 6000)
    assert.is_true(one.probe.sent >= 4 and one.probe.sent <= 6 and one.probe.age <= 1000)
    assert.is_true(one.probe.latency > 0 and one.probe.latency < 100)
    assert.same({ since = one.since, growAt = one.growAt, streamIds = 77, why = "", breaker = "closed",
      probe = { sent = one.probe.sent, failed = 0, failures = 0, latency = one.probe.latency, error = "",
        age = one.probe.age } }, one)
    assert.same({ connectTime = seen.connectTime, home = "datacenter1", serving = "datacenter1", hosts = seen.hosts,
      hottest = { token = "0", share = 0, lookedAt = 0 }, blocks = {} }, seen)
    local rule = world.cluster:rule { node = 2, statement = "FROM system.local", error = "OVERLOADED" }
    moonpool.sleep(3000)
    local bad = core.getAnalysis(pool).hosts[world:host(2)].probe
    assert.same({ bad.failures, "OVERLOADED" }, { bad.failed, bad.error })
    assert.is_true(bad.failures >= 2 and bad.failures <= 4)
    rule:remove()
    world.cluster:kill(3)
    world:waitStatus(pool, 3, "down")
    moonpool.sleep(700)
    local gone = core.getAnalysis(pool).hosts[world:host(3)]
    assert.equal("the node refused the connection", gone.why)
    assert.is_true(gone.since >= 700 and gone.since < 2000)
    pool:close()
    assert.is_nil(core.getAnalysis(pool))
  end)

  -- What one event changes of all counts, and nothing else.
  it_in("of each event by the counts that it is about", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v int)"
    local pool = world:pool { requestTimeout = 1000, circuitBreaker = { enabled = true, failureThreshold = 50 } }
    world:waitUp(pool)
    local host = { host = world:host(1) }
    local function request(cql, parameters, options)
      local all = { host = host.host }
      for name, value in pairs(options or {}) do all[name] = value end
      return pool:execute(cql, parameters, all)
    end
    local function changes(act)
      moonpool.sleep(3000)
      local before, list = pool:getStats(), {}
      act()
      moonpool.sleep(3000)
      for name, value in pairs(pool:getStats()) do
        if value ~= before[name] then list[name] = value - before[name] end
      end
      return list
    end
    local function with_rule(rule, act)
      return changes(function()
        local made = world.cluster:rule(rule)
        act()
        made:remove()
      end)
    end
    assert.same({ requests = 3, attempts = 3 }, changes(function()
      for _ = 1, 3 do assert(request(SELECT)) end
    end))
    assert.same({ requests = 1, attempts = 1, errors = 1 }, changes(function() request "SELECT nothing FROM ks.t" end))
    assert.same({ requests = 1, attempts = 1, errors = 1, timeouts = 1, lateAnswers = 1 },
      with_rule({ statement = "ks.t", delay = 2500 }, function()
        request("UPDATE ks.t SET v = 1 WHERE k = 1", nil, { timeout = 200 })
      end))
    assert.same({ requests = 1, attempts = 1, cancelled = 1, lateAnswers = 1 },
      with_rule({ statement = "ks.t", delay = 500 }, function()
        local future = pool:executeAsync("SELECT v FROM ks.t", nil, host)
        moonpool.sleep(100)
        future:cancel()
        future:wait()
      end))
    assert.same({ requests = 1, attempts = 2, retries = 1, failovers = 1 },
      with_rule({ statement = "ks.t", error = "IS_BOOTSTRAPPING", times = 1 }, function()
        assert(pool:execute("SELECT v FROM ks.t"))
      end))
    local statement = assert(pool:prepare "SELECT v FROM ks.t WHERE k = ?")
    assert(request(statement, { 1 }))
    assert.same({ requests = 1, attempts = 2, reprepared = 1 }, changes(function()
      world.cluster:forgetPrepared()
      assert(request(statement, { 1 }))
    end))
    assert.same({ requests = 1, attempts = 1, schemaChanges = 1 }, changes(function()
      assert(request "ALTER TABLE ks.t ADD w int")
    end))
    assert.same({ poolResizes = 1, connectionsOpened = 2, totalConnections = 2, idleConnections = 2 },
      changes(function() assert(pool:resize(world:host(1), { core = 3, max = 3 })) end))
    assert.same({ connectionsOpened = 1, connectionsClosed = 1, connectionErrors = 1 }, changes(function()
      world.cluster:kill(3)
      world:waitStatus(pool, 3, "down")
      world.cluster:start(3)
      world:waitStatus(pool, 3, "up")
    end))
  end)

  it_in("of a pool that is closed nothing that is over, and what it did", function(world)
    local pool = world:newPool()
    assert.same({}, pool:getHosts())
    assert(pool:connect())
    for _ = 1, 3 do assert(pool:execute(SELECT)) end
    pool:close()
    assert.same({ {}, {}, {} }, { pool:getHosts(), pool:getConnectionDetails(), pool:policies() })
    assert.same({ 3, 3 }, { pool:getStats().requests, pool:getStats().connectionsClosed })
    local none, err = pool:decisions(1)
    assert.is_nil(none)
    assert.same({ "CLOSED", "the pool is closed" }, { err.code, err.message })
    assert.same({ nil, "closed" }, { core.watch(pool, "configuration", "/tmp/x") })
    none, err = pool:setHostWeight(world:host(1), 1)
    assert.is_nil(none)
    assert.same({ "CLOSED", "the pool is closed" }, { err.code, err.message })
  end)
end)
