-- SPDX-License-Identifier: Apache-2.0
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

describe("events", function()
  it_in("tell what happens to hosts and connections", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local told = world:listen(pool, "hostDown", "hostUp", "connectionLost", "connectionAdded", "connectionRemoved",
      "failover", "schemaChange")
    local futures = {}
    for i = 1, 30 do futures[i] = pool:executeAsync("SELECT key FROM system.local", nil, { isIdempotent = true }) end
    world.cluster:kill(2)
    for i = 1, 30 do assert(futures[i]:wait()) end
    world:eventually("hostDown", function() return #told.hostDown > 0 end)
    assert.equal(world:host(2), told.hostDown[1][1])
    assert.is_string(told.hostDown[1][2])
    assert.equal(world:host(2), told.connectionLost[1][1])
    world:eventually("failover", function() return #told.failover > 0 end)
    assert.equal(world:host(2), told.failover[1][1].from)
    assert.is_true(told.failover[1][1].to ~= world:host(2))
    assert.is_string(told.failover[1][1].reason)
    world.cluster:start(2)
    world:eventually("hostUp", function() return #told.hostUp > 0 end)
    assert.equal(world:host(2), told.hostUp[1][1])
    assert.equal(world:host(2), told.connectionAdded[1][1])
    assert(pool:execute "CREATE TABLE ks.fresh (k int PRIMARY KEY)")
    world:eventually("schemaChange", function() return #told.schemaChange > 0 end)
    assert.same({ keyspace = "ks", table = "fresh", change = "CREATED" }, told.schemaChange[1][1])
    pool:close()
    world:eventually("connectionRemoved", function() return #told.connectionRemoved >= 3 end)
  end)

  it_in("are handled in coroutines that may wait and use the pool", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local done
    pool:on("hostDown", function(host)
      moonpool.sleep(50)
      done = host .. " " .. assert(pool:execute "SELECT key FROM system.local"):first().key
    end)
    world.cluster:kill(3)
    world:eventually("the handler is done", function() return done end)
    assert.equal(world:host(3) .. " local", done)
    world:calm()
  end)

  it_in("survive a handler that fails: it is counted, the others run, traffic goes on", function(world)
    local pool = moonpool.ConnectionPool(world:configuration())
    assert(pool:connect())
    local good = 0
    pool:on("hostDown", function() error "bad handler" end)
    pool:on("hostDown", function() good = good + 1 end)
    pool:on("hostDown", function() error(setmetatable({}, { __tostring = function() error "worse" end })) end)
    world.cluster:kill(2)
    world:eventually("it is counted", function() return pool:getHandlerErrors() >= 2 end)
    assert.equal(1, good)
    assert(pool:execute "SELECT key FROM system.local")
    assert.equal(2, pool:getHandlerErrors())
    pool:close()
    world:calm()
  end)

  it_in("can be given up again", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local count = 0
    local function handler() count = count + 1 end
    assert.equal(pool, pool:on("hostDown", handler))
    pool:off("hostDown", handler)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(100)
    assert.equal(0, count)
    world:calm()
  end)

  it_in("of policies tell of reloads and refusals", function(world)
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p '" .. folder .. "'")
    local path = folder .. "/mine.lua"
    local function write(plan)
      local file = assert(io.open(path, "w"))
      file:write('return balance { name = "Mine", plan = function(plan, req) ', plan, " end }\n")
      file:close()
    end
    write "plan:hosts(localDc, inTurn)"
    local pool = world:pool { policyPath = { folder }, loadBalancing = { policy = "Mine" } }
    local told = world:listen(pool, "policyReload", "policyError")
    assert.equal("Mine", pool:policies().balance.name)
    write "plan:hosts(localDc, primaryFirst)"
    assert.is_true(pool:reload())
    world:eventually("policyReload", function() return #told.policyReload > 0 end)
    assert.equal("Mine", told.policyReload[1][1].name)
    assert.equal(2, told.policyReload[1][1].generation)
    assert.equal(2, pool:policies().balance.generation)
    write "plan:nonsense()"
    local ok, err = pool:reload()
    assert.is_nil(ok)
    assert.matches("mine.lua", tostring(err), 1, true)
    world:eventually("policyError", function() return #told.policyError > 0 end)
    assert.matches("mine.lua:1", told.policyError[1][1].message, 1, true)
    assert.equal(2, pool:policies().balance.generation)
    assert(pool:execute "SELECT key FROM system.local")
    os.remove(path)
    os.execute("rmdir '" .. folder .. "'")
  end)
end)

-- What the manual says that handlers are called with: { event = { "host", "reason" } or { fields = { name = true } } }.
local function promised()
  local file = assert(io.open(MOONPOOL_ROOT .. "/docs/lua-api.md"))
  local manual = file:read "*a"
  file:close()
  local list = {}
  for names, what in manual:match("\n## Events\n.-\n| event.-\n(.-)\n\n"):gmatch "| ([^|\n]+) | ([^|\n]+) |" do
    local inner = what:match "^`{ (.-) }`"
    local promise = { fields = inner and {} or nil }
    for field in (inner or what:match "^[^:]+"):gmatch "%w+" do
      if inner then promise.fields[field] = true else promise[#promise + 1] = field end
    end
    for name in names:gmatch "%w+" do list[name] = promise end
  end
  return list
end

describe("each event", function()
  it_in("carries what the manual says, and nothing else", function(world)
    local promises = promised()
    local pool = world:pool { circuitBreaker = { enabled = true, failureThreshold = 2, recoveryTimeout = 1000 },
      pooling = { enableMetrics = true, metricsInterval = 1000, heartBeatInterval = 1000 } }
    world:waitUp(pool)
    local seen, wrong = {}, {}
    for name, promise in pairs(promises) do
      pool:on(name, function(...)
        seen[name] = seen[name] or { ... }
        local first, second = ...
        local shape = { type(first), type(second) }
        if promise.fields then
          shape = {}
          for field in pairs(first) do shape[field] = true end
        end
        local wanted = promise.fields or { "string", promise[2] and "string" or "nil" }
        local ok, why = pcall(assert.same, name == "metrics" and shape or wanted, shape)
        if not ok then wrong[#wrong + 1] = name .. ": " .. tostring(why) end
      end)
    end
    assert(pool:resize(world:host(1), { core = 5 }))
    world:eventually("poolResize", function() return seen.poolResize end)
    assert.same({ host = world:host(1), from = 1, to = 5, reason = "its limits are others now" },
      seen.poolResize[1])
    local futures = {}
    for i = 1, 30 do futures[i] = pool:executeAsync("SELECT key FROM system.local", nil, { isIdempotent = true }) end
    world.cluster:kill(2)
    for i = 1, 30 do assert(futures[i]:wait()) end
    world:eventually("hostDown", function() return seen.hostDown end)
    world.cluster:start(2)
    world:eventually("hostUp", function() return seen.hostUp end)
    local rule = world.cluster:rule { node = 3, statement = "FROM system.local", error = "OVERLOADED" }
    for _ = 1, 5 do pool:execute("SELECT key FROM system.local", nil, { host = world:host(3) }) end
    rule:remove()
    world:eventually("breakerOpen", function() return seen.breakerOpen and seen.breakerHalfOpen end)
    assert.equal("2 failures in a row, the last: it is overloaded", seen.breakerOpen[2])
    for _ = 1, 5 do pool:execute("SELECT key FROM system.local", nil, { host = world:host(3) }) end
    world:eventually("breakerClose", function() return seen.breakerClose end)
    assert(pool:execute "CREATE TABLE ks.fresh (k int PRIMARY KEY)")
    assert.is_true(pool:reload())
    world:eventually("the rest", function()
      return seen.schemaChange and seen.metrics and seen.failover and seen.connectionRemoved and seen.policyReload
    end)
    assert.equal("host", seen.failover[1].level)
    assert.same({}, wrong)
  end)
end)

describe("looking at a pool", function()
  it_in("counts connections, requests and hosts", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for _ = 1, 10 do assert(pool:execute "SELECT key FROM system.local") end
    local stats = pool:getStats()
    assert.equal(3, stats.totalConnections)
    assert.equal(3, stats.idleConnections)
    assert.equal(0, stats.activeConnections)
    assert.equal(0, stats.requestsInFlight)
    assert.equal(0, stats.connectionErrors)
    assert.equal(10, stats.requests)
    local future = pool:executeAsync "SELECT key FROM system.local"
    assert.equal(1, pool:getStats().requestsInFlight)
    assert.equal(1, pool:getStats().activeConnections)
    assert(future:wait())
    moonpool.sleep(1000)
    local metrics = pool:getMetrics()
    assert.equal(3, metrics.hostsUp)
    assert.equal(0, metrics.hostsDown)
    assert.equal(0, metrics.errorRate)
    assert.is_true(metrics.averageLatency > 0)
    assert.is_true(metrics.latencyP99 >= metrics.latencyP50)
    assert.is_true(metrics.requestsPerSecond > 0)
    assert.equal(0, metrics.connectionTurnover)
    local details = pool:getConnectionDetails()
    local ready = 0
    for _, connection in ipairs(details) do
      assert.matches("^127", connection.host)
      assert.is_number(connection.id)
      assert.equal(0, connection.inFlightRequests)
      assert.is_true(connection.createdAt <= connection.lastUsedAt)
      if connection.state == "ready" then ready = ready + 1 end
    end
    assert.is_true(ready >= 3)
    for _, host in ipairs(pool:getHosts()) do
      assert.equal("up", host.status)
      assert.equal("datacenter1", host.datacenter)
      assert.equal("local", host.distance)
      assert.equal(1, host.connections)
    end
    pool:close()
    assert.equal(0, pool:getStats().totalConnections)
    assert.equal(11, pool:getStats().requests)
    assert.same({}, pool:getHosts())
    assert.same({}, pool:getConnectionDetails())
    assert.same({}, pool:policies())
    assert.equal(0, pool:getMetrics().totalConnections)
    assert.equal("CLOSED", select(2, pool:reload()).code)
  end)
end)
