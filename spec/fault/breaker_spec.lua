-- SPDX-License-Identifier: Apache-2.0
-- Circuit breakers: what opens them and what does not, what a host gets while they are open and half open, and that no
-- request fails for their sake.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT v FROM ks.t WHERE k = 1"
local BREAKER = { enabled = true, failureThreshold = 3, recoveryTimeout = 2000, halfOpenMaxCalls = 2 }

local function open(world, extra)
  world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v int)"
  local configuration = { circuitBreaker = BREAKER, loadBalancing = { policy = "RoundRobinPolicy" }, keyspace = "ks" }
  for key, value in pairs(extra or {}) do configuration[key] = value end
  local pool = world:pool(configuration)
  world:waitUp(pool)
  return pool, world:listen(pool, "breakerOpen", "breakerHalfOpen", "breakerClose")
end

local function ask(pool, options)
  options = options or {}
  options.prepare = false
  return pool:execute(SELECT, nil, options)
end

local function many(pool, count)
  for _ = 1, count do assert(ask(pool)) end
end

local function breaker(world, pool, node)
  local _, host = world:status(pool, node)
  return host.breaker
end

local function opens(world, pool, node)
  world:eventually("the breaker opens", function()
    ask(pool)
    return breaker(world, pool, node) == "open"
  end)
end

describe("a circuit breaker", function()
  local faults = {
    { "is overloaded", { error = "OVERLOADED" } },
    { "has server errors", { error = "SERVER_ERROR" } },
    { "is bootstrapping", { error = "IS_BOOTSTRAPPING" } },
    { "does not answer", { swallow = true } },
    { "drops its connections", { reset = true } },
  }
  for _, case in ipairs(faults) do
    it_in("of a host that " .. case[1] .. " opens; the host is spared, tried, and used again", function(world)
      local pool, told = open(world)
      local rule = { node = 2, statement = "ks.t" }
      for key, value in pairs(case[2]) do rule[key] = value end
      world.cluster:rule(rule)
      opens(world, pool, 2)
      assert.equal(world:host(2), told.breakerOpen[1][1])
      assert.matches("^3 failures in a row, the last: ", told.breakerOpen[1][2])
      assert.equal(1, pool:getStats().breakersOpen)
      local before = world.cluster:requests(2)
      many(pool, 30)
      assert.equal(before, world.cluster:requests(2), "an open breaker let requests in")
      world.cluster:clearRules()
      world:eventually("it is half open", function() return breaker(world, pool, 2) == "halfOpen" end)
      world:eventually("it closes", function()
        ask(pool)
        return breaker(world, pool, 2) == "closed"
      end)
      world:eventually("it is told", function() return #told.breakerClose > 0 end)
      assert.same({ 1, 1, 1 }, { #told.breakerOpen, #told.breakerHalfOpen, #told.breakerClose })
      assert.equal(0, pool:getStats().breakersOpen)
      assert.equal(1, pool:getStats().breakersOpened)
      before = world.cluster:requests(2)
      many(pool, 30)
      assert.is_true(world.cluster:requests(2) > before)
    end)
  end

  local harmless = {
    { "a syntax error", { error = "SYNTAX_ERROR" } },
    { "UNAVAILABLE, which tells of other hosts", { error = { code = "UNAVAILABLE", required = 2, received = 1 } } },
    { "a read timeout of replicas", { error = { code = "READ_TIMEOUT", required = 2, received = 1 } } },
    { "INVALID", { error = "INVALID" } },
  }
  for _, case in ipairs(harmless) do
    it_in("hears nothing in " .. case[1], function(world)
      local pool, told = open(world, { retry = { policy = "FallthroughRetryPolicy" } })
      local rule = { statement = "ks.t" }
      for key, value in pairs(case[2]) do rule[key] = value end
      world.cluster:rule(rule)
      for _ = 1, 30 do assert.is_nil((ask(pool))) end
      assert.equal(0, #told.breakerOpen)
      for node = 1, 3 do assert.equal("closed", breaker(world, pool, node)) end
    end)
  end

  it_in("is off unless the configuration says otherwise", function(world)
    local pool, told = open(world, { circuitBreaker = worlds.none })
    world.cluster:rule { node = 2, statement = "ks.t", error = "OVERLOADED" }
    many(pool, 30)
    assert.equal(0, #told.breakerOpen)
    assert.is_nil(breaker(world, pool, 2))
    assert.equal(0, pool:getStats().breakersOpened)
  end)

  it_in("counts a connection that is lost once, however many requests were on it", function(world)
    local pool, told = open(world)
    world.cluster:rule { node = 2, statement = "ks.t", reset = true, times = 1, hold = 50 }
    world.cluster:rule { node = 2, statement = "ks.t", delay = 500 }
    local futures = {}
    for i = 1, 60 do futures[i] = pool:executeAsync(SELECT, nil, { prepare = false }) end
    for i = 1, 60 do assert(futures[i]:wait()) end
    assert.equal(0, #told.breakerOpen)
    assert.is_true(pool:getStats().connectionErrors >= 1, "no connection was lost")
  end)

  it_in("lets no more than halfOpenMaxCalls in while it is half open", function(world)
    local pool = open(world)
    world.cluster:rule { node = 2, statement = "ks.t", error = "OVERLOADED" }
    opens(world, pool, 2)
    world.cluster:clearRules()
    world:eventually("it is half open", function() return breaker(world, pool, 2) == "halfOpen" end)
    world.cluster:rule { node = 2, statement = "ks.t", delay = 200 }
    local before = world.cluster:requests(2)
    local futures = {}
    for i = 1, 50 do futures[i] = pool:executeAsync(SELECT, nil, { prepare = false }) end
    moonpool.sleep(100)
    assert.equal(2, world.cluster:requests(2) - before)
    for i = 1, 50 do assert(futures[i]:wait()) end
    assert.equal("closed", breaker(world, pool, 2))
  end)

  it_in("that is half open opens again with the first failure", function(world)
    local pool, told = open(world)
    world.cluster:rule { node = 2, statement = "ks.t", error = "OVERLOADED" }
    opens(world, pool, 2)
    world:eventually("it has opened twice more", function()
      many(pool, 3)
      return #told.breakerOpen == 3
    end)
    assert.equal(2, #told.breakerHalfOpen)
    assert.matches("it does not work yet", told.breakerOpen[2][2])
  end)

  -- Once every breaker is open, a request asks one host, and the first that works closes its breaker.
  it_in("never leaves a request without a host: when all are open, one is tried", function(world)
    local pool, told = open(world, { retry = { policy = "FallthroughRetryPolicy" } })
    world.cluster:rule { statement = "ks.t", error = "OVERLOADED" }
    world:eventually("all are open", function()
      ask(pool)
      return #told.breakerOpen >= 3 and pool:getStats().breakersOpen == 3
    end)
    local _, err = ask(pool)
    assert.equal("OVERLOADED", err.code, "nobody was asked")
    assert.equal(1, #err.attempts)
    world.cluster:clearRules()
    for _ = 1, 20 do assert(ask(pool)) end
    assert.is_true(#told.breakerClose > 0)
    assert.equal(world:host(2), assert(ask(pool, { host = world:host(2) })).info.host)
  end)

  it_in("does not keep a statement from being prepared when all are open", function(world)
    local pool = open(world, { retry = { policy = "FallthroughRetryPolicy" } })
    world.cluster:rule { statement = "ks.t WHERE k = 1", error = "OVERLOADED" }
    world:eventually("all are open", function()
      ask(pool)
      return pool:getStats().breakersOpen == 3
    end)
    local statement = assert(pool:prepare "SELECT v FROM ks.t WHERE k = ?")
    assert(pool:execute(statement, { 2 }))
  end)

  it_in("lets in a request that names the host", function(world)
    local pool = open(world)
    world.cluster:rule { node = 2, statement = "ks.t", error = "OVERLOADED" }
    opens(world, pool, 2)
    world.cluster:clearRules()
    assert.equal(world:host(2), assert(ask(pool, { host = world:host(2) })).info.host)
    assert.equal("halfOpen", breaker(world, pool, 2))
  end)

  it_in("is half open at once when its host was restarted", function(world)
    local pool = open(world, { circuitBreaker = { enabled = true, failureThreshold = 3, recoveryTimeout = 600000 } })
    world.cluster:rule { node = 2, statement = "ks.t", error = "OVERLOADED" }
    opens(world, pool, 2)
    world.cluster:clearRules()
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    world.cluster:start(2)
    world:waitStatus(pool, 2, "up")
    world:eventually("it closes", function()
      ask(pool)
      return breaker(world, pool, 2) == "closed"
    end)
  end)

  it_in("is seen by a policy", function(world)
    local folder = policies.folder()
    policies.write(folder .. "/watchful.lua", [[
      return balance { name = "Watchful", plan = function(plan, req)
        for _, host in hosts(allDcs) do
          if not host.breakerHalfOpen and not host.isShut then plan:host(host) end
        end
        if shutCount(allDcs) == 1 and shutCount(remoteDcs) == 0 and req.tag == tags.strict then plan:refuse() end
      end }]])
    local pool = open(world, { policyPath = { folder }, loadBalancing = { policy = "Watchful" } })
    assert.equal(3, #pool:explain({}).hosts)
    world.cluster:rule { node = 1, statement = "ks.t", error = "OVERLOADED" }
    opens(world, pool, 1)
    assert.equal(2, #pool:explain({}).hosts)
    assert.is_true(pool:explain({ tag = "strict" }).refused)
    world:eventually("it is half open", function() return breaker(world, pool, 1) == "halfOpen" end)
    assert.equal(2, #pool:explain({}).hosts)
    os.execute("rm -rf '" .. folder .. "'")
  end)

  it_in("follows a configuration that changes", function(world)
    local folder = policies.folder()
    local path = folder .. "/pool.lua"
    local function write(breaker_text)
      policies.write(path, ([[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        requestTimeout = 2000, logging = { level = "off" }, loadBalancing = { policy = "RoundRobinPolicy" },
        circuitBreaker = { %s } }]]):format(breaker_text))
    end
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v int)"
    write "enabled = true, failureThreshold = 2, recoveryTimeout = 600000"
    local pool = moonpool.ConnectionPool(path)
    assert(pool:connect())
    world:waitUp(pool)
    world.cluster:rule { node = 2, statement = "ks.t", error = "OVERLOADED" }
    opens(world, pool, 2)
    write "enabled = true, failureThreshold = 2, recoveryTimeout = 1000"
    assert(pool:reload())
    world:eventually("the shorter time counts", function() return breaker(world, pool, 2) ~= "open" end, 2000)
    write "enabled = false"
    assert(pool:reload())
    assert.is_nil(breaker(world, pool, 2))
    many(pool, 20)
    assert.equal(0, pool:getStats().breakersOpen)
    pool:close()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  -- Whatever happens, each breaker goes its way (open, half open, then open or closed), no request waits for one, and
  -- when the faults end all are closed in the end.
  for seed = 1, 6 do
    it_in("keeps its word among random faults (" .. seed .. ")", { seed = seed }, function(world)
      local pool, told = open(world)
      local at, order = {}, {}
      for name in pairs(told) do
        pool:on(name, function(host)
          local before = at[host] or "breakerClose"
          order[#order + 1] = before .. " " .. name
          at[host] = name
        end)
      end
      local kinds = { { error = "OVERLOADED" }, { error = "SERVER_ERROR" }, { swallow = true }, { reset = true },
        { error = "INVALID" }, { delay = 300 } }
      for _ = 1, 12 do
        local rule = { node = world.random(3) + 1, statement = "ks.t", probability = 0.2 + world.random(8) / 10 }
        for key, value in pairs(kinds[world.random(#kinds) + 1]) do rule[key] = value end
        world.cluster:rule(rule)
        local futures = {}
        for i = 1, 40 do futures[i] = pool:executeAsync(SELECT, nil, { prepare = false }) end
        for i = 1, 40 do futures[i]:wait() end
        if world.random(3) == 0 then world.cluster:clearRules() end
        if world.random(4) == 0 then
          local node = world.random(3) + 1
          world.cluster:kill(node)
          moonpool.sleep(world.random(500))
          world.cluster:start(node)
        end
        moonpool.sleep(world.random(1500))
      end
      world:calm()
      world:eventually("all breakers are closed", function()
        ask(pool)
        return world:upCount(pool) == 3 and pool:getStats().breakersOpen == 0
      end)
      local allowed = { ["breakerClose breakerOpen"] = true, ["breakerOpen breakerHalfOpen"] = true,
        ["breakerHalfOpen breakerOpen"] = true, ["breakerHalfOpen breakerClose"] = true }
      for _, step in ipairs(order) do assert(allowed[step], step) end
      many(pool, 30)
    end)
  end
end)
