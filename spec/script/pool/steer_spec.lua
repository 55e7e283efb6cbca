-- SPDX-License-Identifier: Apache-2.0
-- Steering single hosts while requests run: none is lost by it.
local moonpool = require "moonpool"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT key FROM system.local"

-- Requests all the time until stop(), which raises when one of them failed. Each is slow enough to be under way.
local function load(world, pool)
  world.cluster:rule { statement = "SELECT key FROM", delay = 20 }
  local stop = world:keepAsking(function() return pool:execute(SELECT) end)
  return function()
    local count = stop()
    assert.is_true(count > 5 and count < 3000)
  end
end

local function open(world, extra)
  local configuration = { loadBalancing = { policy = "RoundRobinPolicy" } }
  for key, value in pairs(extra or {}) do configuration[key] = value end
  local pool = world:pool(configuration)
  world:waitUp(pool)
  return pool
end

local function host_of(world, pool, node)
  local _, host = world:status(pool, node)
  return host
end

local function received(world, node, ms)
  local before = world.cluster:requests(node)
  moonpool.sleep(ms or 500)
  return world.cluster:requests(node) - before
end

local function ids(pool, host)
  local set = {}
  for _, connection in ipairs(pool:getConnectionDetails()) do
    if connection.host == host and connection.state == "ready" then set[connection.id] = true end
  end
  return set
end

describe("pool:pause and pool:resume", function()
  it_in("keep requests away and let them come again; none is lost, connections stay", function(world)
    local pool = open(world)
    local stop = load(world, pool)
    moonpool.sleep(200)
    local before = ids(pool, world:host(2))
    assert.is_true(pool:pause(world:host(2)))
    assert.equal("paused", host_of(world, pool, 2).status)
    assert.equal("paused", host_of(world, pool, 2).held)
    moonpool.sleep(50)
    assert.equal(0, received(world, 2))
    assert.same(before, ids(pool, world:host(2)))
    assert.equal(world:host(2), assert(pool:execute(SELECT, nil, { host = world:host(2) })).info.host)
    assert.is_true(pool:resume(world:host(2)))
    assert.equal("up", host_of(world, pool, 2).status)
    assert.is_nil(host_of(world, pool, 2).held)
    assert.is_true(received(world, 2) > 0)
    stop()
  end)

  it_in("of a host that is down holds when it comes back", function(world)
    local pool = open(world)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    assert.is_true(pool:pause(world:host(2)))
    assert.equal("down", host_of(world, pool, 2).status)
    world.cluster:start(2)
    world:waitStatus(pool, 2, "paused")
    assert.is_true(pool:resume(world:host(2)))
    world:waitStatus(pool, 2, "up")
  end)

  it_in("of all hosts say so in the error of a request", function(world)
    local pool = open(world)
    for node = 1, 3 do assert.is_true(pool:pause(world:host(node))) end
    local _, err = pool:execute(SELECT)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.matches("127.0.0.1:9042: paused", err.message, 1, true)
    for node = 1, 3 do assert.is_true(pool:resume(world:host(node))) end
    assert(pool:execute(SELECT))
  end)

  -- Of 600 requests in turn each of three hosts would get 200.
  local function spread(world, pool, count)
    local before = {}
    for node = 1, 3 do before[node] = world.cluster:requests(node) end
    for _ = 1, count do assert(pool:execute(SELECT)) end
    for node = 1, 3 do before[node] = world.cluster:requests(node) - before[node] end
    return before
  end

  for _, policy in ipairs { "RoundRobinPolicy", "TokenAwarePolicy", "LeastLoadedPolicy" } do
    it_in("give a share of its requests to a host on probation, with " .. policy, function(world)
      local pool = open(world, { loadBalancing = { policy = policy } })
      local host = world:host(2)
      assert.is_true(pool:pause(host))
      assert.is_true(pool:resume(host, { weight = 0.1 }))
      assert.equal(0.1, host_of(world, pool, 2).share)
      local got = spread(world, pool, 600)
      assert.is_true(got[2] >= 5 and got[2] <= 45, "it got " .. got[2])
      assert.is_true(pool:resume(host, { weight = 0 }))
      assert.equal(0, spread(world, pool, 100)[2])
      assert.is_true(pool:resume(host))
      assert.is_nil(host_of(world, pool, 2).share)
      assert.is_true(spread(world, pool, 600)[2] > 100)
    end)
  end

  it_in("take a request that nobody else takes, each once", function(world)
    local pool = open(world, { retry = { policy = "DefaultRetryPolicy" } })
    for node = 1, 3 do assert.is_true(pool:resume(world:host(node), { weight = 1e-9 })) end
    world.cluster:rule { statement = "SELECT key FROM", error = "OVERLOADED" }
    for _ = 1, 10 do
      local result, err = pool:execute(SELECT, nil, { isIdempotent = true })
      assert.is_nil(result)
      local asked, count = {}, 0
      for i = 1, 3 do
        local host = err.attempts[i].host
        count = count + (asked[host] and 0 or 1)
        asked[host] = true
      end
      assert.equal(3, count)
    end
  end)

  it_in("do not leave a request without a host for the sake of probation", function(world)
    local pool = open(world)
    for node = 1, 3 do assert.is_true(pool:resume(world:host(node), { weight = 0.01 })) end
    spread(world, pool, 100)
    -- what fails elsewhere goes to the one on probation
    assert.is_true(pool:resume(world:host(1)))
    world.cluster:rule { node = 1, statement = "SELECT key FROM", error = "OVERLOADED" }
    world.cluster:kill(3)
    world:waitStatus(pool, 3, "down")
    for _ = 1, 30 do
      assert(pool:execute(SELECT, nil, { isIdempotent = true }))
      moonpool.sleep(200)
    end
    assert.equal(world:host(2), assert(pool:execute(SELECT, nil, { host = world:host(2) })).info.host)
    local statement = assert(pool:prepare "SELECT key FROM system.local WHERE key = ?")
    world.cluster:forgetPrepared()
    assert(pool:execute(statement, { "local" }, { host = world:host(2) }))
  end)
end)

describe("pool:drain", function()
  it_in("lets requests end and closes the connections; none is lost, none comes until it is resumed", function(world)
    local pool = open(world, { pooling = { coreConnectionsPerHost = { ["0"] = 3 },
      maxConnectionsPerHost = { ["0"] = 3 } } })
    local told = world:listen(pool, "hostDown", "hostUp")
    local stop = load(world, pool)
    moonpool.sleep(200)
    for node = 1, 3 do
      assert.is_true(pool:drain(world:host(node)))
      assert.equal("draining", host_of(world, pool, node).status)
      world:eventually("no connection is left, not even the control connection",
        function() return world.cluster:node(node).connections == 0 end)
      moonpool.sleep(500)
      assert.equal(0, world.cluster:node(node).connections)
      assert.is_true(pool:resume(world:host(node)))
      world:waitStatus(pool, node, "up")
      assert.is_true(received(world, node) > 0)
    end
    stop()
    assert.equal(3, #told.hostDown)
    assert.equal("it was drained", told.hostDown[1][2])
    assert.equal(3, #told.hostUp)
  end)

  it_in("says when time is up before the requests are over; they end all the same", function(world)
    local pool = open(world)
    world.cluster:rule { node = 2, statement = "SELECT key FROM", delay = 300 }
    assert(pool:execute(SELECT))
    local futures = {}
    for i = 1, 9 do futures[i] = pool:executeAsync(SELECT) end
    moonpool.sleep(10)
    local ok, err = pool:drain(world:host(2), { timeout = 50 })
    assert.is_nil(ok)
    assert.equal("TIMEOUT", err.code)
    assert.matches("1 connections still carry requests", err.message, 1, true)
    for i = 1, 9 do assert(futures[i]:wait()) end
    assert.is_true(pool:drain(world:host(2)))
    assert.is_true(pool:resume(world:host(2)))
    world:waitUp(pool)
  end)

  it_in("that is undone says so to whom waits for it", function(world)
    local pool = open(world)
    world.cluster:rule { node = 2, statement = "SELECT key FROM", delay = 300 }
    assert(pool:execute(SELECT))
    local futures = {}
    for i = 1, 9 do futures[i] = pool:executeAsync(SELECT) end
    moonpool.sleep(10)
    local draining = world:spawn(function() return pool:drain(world:host(2)) or true end)
    moonpool.sleep(20)
    assert.is_true(pool:resume(world:host(2)))
    assert.is_true(draining:wait())
    for i = 1, 9 do assert(futures[i]:wait()) end
    world:waitUp(pool)
    assert(pool:execute(SELECT, nil, { host = world:host(2) }))
  end)
end)

describe("pool:reconnect", function()
  it_in("replaces each connection of a host, and no request is lost", function(world)
    local pool = open(world, { pooling = { coreConnectionsPerHost = { ["0"] = 3 },
      maxConnectionsPerHost = { ["0"] = 3 } } })
    local stop = load(world, pool)
    local before, other = ids(pool, world:host(2)), ids(pool, world:host(1))
    assert.is_true(pool:reconnect(world:host(2)))
    world:eventually("all are new", function()
      local now, count = ids(pool, world:host(2)), 0
      for id in pairs(now) do
        if before[id] then return false end
        count = count + 1
      end
      return count == 3
    end)
    assert.same(other, ids(pool, world:host(1)))
    stop()
  end)

  it_in("tries a host that is down at once", function(world)
    local pool = open(world, { pooling = { reconnectBaseDelay = 60000, reconnectMaxDelay = 60000 } })
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(1000)
    world.cluster:start(2)
    assert.is_true(pool:reconnect(world:host(2)))
    world:waitStatus(pool, 2, "up", 500)
  end)
end)

describe("pool:resize", function()
  it_in("gives one host more or fewer connections, until it is told otherwise; no request is lost", function(world)
    local pool = open(world)
    local stop = load(world, pool)
    local function has(node, count)
      world:eventually(count .. " connections", function() return host_of(world, pool, node).connections == count end)
    end
    assert.is_true(pool:resize(world:host(2), { core = 5 }))
    has(2, 5)
    assert.is_true(pool:resize(world:host(2), { core = 2, max = 3 }))
    has(2, 3) -- what is more than the core goes when it is idle
    assert.equal(1, host_of(world, pool, 1).connections)
    assert.is_true(pool:resize(world:host(2)))
    has(2, 2)
    stop()
  end)
end)

describe("pool:recoverConnection", function()
  it_in("is true as soon as the host has its connections", function(world)
    local pool = open(world, { pooling = { reconnectBaseDelay = 60000, reconnectMaxDelay = 60000,
      coreConnectionsPerHost = { ["0"] = 2 }, maxConnectionsPerHost = { ["0"] = 2 } } })
    assert.is_true(pool:recoverConnection(world:host(2)))
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    world:spawn(function()
      moonpool.sleep(1200)
      world.cluster:start(2)
    end)
    assert.is_true(pool:recoverConnection(world:host(2), { maxAttempts = 5, backoffDelay = 200 }))
    assert.equal(2, host_of(world, pool, 2).connections)
  end)

  it_in("makes as many attempts as it may, then gives the error of the last one", function(world)
    local pool = open(world, { pooling = { reconnectBaseDelay = 600000, reconnectMaxDelay = 600000 } })
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    local before = pool:getStats().connectionErrors
    local since = moonpool.now()
    local ok, err = pool:recoverConnection(world:host(2), { maxAttempts = 4, backoffDelay = 1000 })
    assert.is_nil(ok)
    assert.equal("CONNECTION_REFUSED", err.code)
    assert.equal(world:host(2), err.host)
    assert.matches(world:host(2), err.message, 1, true)
    assert.equal(4, pool:getStats().connectionErrors - before)
    local took = moonpool.now() - since
    assert.is_true(took >= 7000 and took < 8000, "1 + 2 + 4 seconds between them: " .. took)
    world:calm()
    assert.is_true(pool:recoverConnection(world:host(2)))
  end)

  it_in("works as the handler of the seed document has it, one for each connection that is lost", function(world)
    local pool = open(world, { pooling = { coreConnectionsPerHost = { ["0"] = 4 },
      maxConnectionsPerHost = { ["0"] = 4 }, reconnectBaseDelay = 60000, reconnectMaxDelay = 60000 } })
    world:eventually("all", function() return pool:getStats().totalConnections == 12 end)
    local recovered, failed = 0, 0
    pool:on("connectionLost", function(host)
      if pool:recoverConnection(host, { maxAttempts = 5, backoffDelay = 200 }) then recovered = recovered + 1
      else failed = failed + 1 end
    end)
    world.sim:cut(2)
    world:eventually("all are recovered", function() return recovered == 4 end)
    assert.equal(0, failed)
    assert.equal(4, host_of(world, pool, 2).connections)
  end)

  it_in("says what it cannot do", function(world)
    local pool = open(world)
    local _, err = pool:recoverConnection("10.9.9.9")
    assert.equal("NOT_FOUND", err.code)
    assert.is_true(pool:drain(world:host(2)))
    _, err = pool:recoverConnection(world:host(2))
    assert.matches("resume it first", err.message)
    assert.is_true(pool:resume(world:host(2)))
    world:waitUp(pool)
    pool:close()
    _, err = pool:recoverConnection(world:host(2))
    assert.equal("CLOSED", err.code)
  end)

  it_in("ends when the pool closes meanwhile", function(world)
    local pool = open(world)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    local trying = world:spawn(function()
      local _, err = pool:recoverConnection(world:host(2), { maxAttempts = 1000, backoffDelay = 10 })
      return err.code
    end)
    moonpool.sleep(300)
    pool:close()
    assert.equal("CLOSED", trying:wait())
  end)
end)

describe("the verbs for hosts", function()
  it_in("refuse what they do not know, with its place", function(world)
    local pool = world:newPool()
    local cases = {
      { function() pool:drain("a", { timout = 5 }) end, "drain: unknown option 'timout', did you mean timeout%?" },
      { function() pool:drain("a", { timeout = -1 }) end,
        "drain: timeout: got %-1 %(number%); must be a whole number from 0 to 86400000" },
      { function() pool:drain("a", 5) end, "drain: a table of options expected, got number" },
      { function() pool:resume("a", { weight = 2 }) end,
        "resume: weight: got 2 %(number%); must be a number from 0 to 1" },
      { function() pool:resize("a", { core = 3, max = 2 }) end, "resize: core is 3, which is more than max, 2" },
      { function() pool:resize("a", {}) end, "resize: core or max expected" },
      { function() pool:recoverConnection("a", { maxAttempts = 0 }) end, "maxAttempts: got 0" },
      { function() pool:pause("a", 1) end, "'pause' takes no arguments, got number" },
      { function() pool:pause() end, "bad argument" },
    }
    for i, case in ipairs(cases) do
      local ok, message = pcall(case[1])
      assert.is_false(ok)
      assert(message:find(case[2]), i .. ": " .. message)
      assert(message:find("steer_spec.lua:", 1, true) or case[2] == "bad argument", message)
    end
  end)

  it("are those that editors are told of", function()
    local file = assert(io.open(MOONPOOL_ROOT .. "/lua/moonpool/library/steer.lua"))
    local text, count = file:read "*a", 0
    file:close()
    local methods = require("moonpool.core_loader").poolMethods
    for name in text:gmatch "function Pool:(%w+)%(" do
      assert.equal("function", type(methods[name]), name)
      count = count + 1
    end
    for _, module in ipairs { "steer", "nodes", "overlay" } do
      for name, fn in pairs(require("moonpool." .. module)) do
        if methods[name] == fn then count = count - 1 end
      end
    end
    assert.equal(0, count)
  end)
end)
