-- SPDX-License-Identifier: Apache-2.0
-- G14: a datacentre is lost, another one serves, and the first one comes back. No request with a local consistency is
-- answered by another datacentre unless that is allowed, nothing flaps, and a return meets open connections.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local config_file = require "spec.support.config_file"
local it = support.inside(it)

local TWO = { datacenters = { { "east", 3 }, { "west", 3 } }, nodes = 6, rf = 3 }
local THREE = { datacenters = { { "east", 2 }, { "west", 2 }, { "south", 2 } }, nodes = 6, rf = 2 }

local function numbers(world, dc)
  local list = {}
  for number, node in ipairs(world.cluster:nodes()) do
    if node.dc == dc then list[#list + 1] = number end
  end
  assert(#list > 0, "no node in " .. dc)
  return list
end

local function each(world, dc, verb)
  for _, number in ipairs(numbers(world, dc)) do
    if world.cluster:node(number).serving == (verb == "kill") then world.cluster[verb](world.cluster, number) end
  end
end

local function configuration(failover, more)
  local out = { localDataCenter = "east", pooling = { coreConnectionsPerHost = { ["0"] = 2, ["1"] = 1 } } }
  out.failover = { policy = "DatacentreFailoverPolicy", downFor = 10000, upFor = 30000 }
  for key, value in pairs(failover or {}) do out.failover[key] = value end
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function open(world, failover, more)
  world:schema("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
  local pool = world:pool(configuration(failover, more))
  world:waitUp(pool, 6)
  local told = {}
  pool:on("failover", function(event)
    if event.level == "datacenter" then
      event.at = moonpool.now()
      told[#told + 1] = event
    end
  end)
  return pool, told
end

local function serving(pool) return pool:getMetrics().servingDataCenter end

-- The datacentre of each node that answers one of `count` reads, counted; and the errors by code.
local function ask(world, pool, consistency, count, cql, options)
  local by, errors = {}, {}
  local dcs = {}
  for number, node in ipairs(world.cluster:nodes()) do dcs[world:host(number)] = node.dc end
  options = options or {}
  options.consistency = consistency
  for i = 1, count or 20 do
    local result, err = pool:execute(cql or "SELECT v FROM ks.t WHERE k = ?", { i }, options)
    if result then
      local dc = dcs[result.info.host]
      by[dc] = (by[dc] or 0) + 1
    else
      errors[err.code] = (errors[err.code] or 0) + 1
    end
  end
  return by, errors
end

local function await(world, pool, dc, limit)
  world:eventually(dc .. " serves", function() return serving(pool) == dc end, limit or 90000)
end

describe("G14 a lost datacentre", function()
  it("is replaced after its time, and serves again when it is well", TWO, function(world)
    local pool, told = open(world)
    assert.equal("east", serving(pool))
    assert.same({ east = 20 }, (ask(world, pool, "QUORUM")))
    local lost = moonpool.now()
    each(world, "east", "kill")
    await(world, pool, "west")
    local took = moonpool.now() - lost
    assert.is_true(took >= 10000 and took <= 14000, took)
    assert.same({ west = 20 }, (ask(world, pool, "ONE")))
    for _, host in ipairs(pool:getHosts()) do
      assert.equal(host.datacenter == "west" and "local" or "remote", host.distance)
      if host.datacenter == "west" then assert.equal(2, host.connections) end
    end
    local back = moonpool.now()
    each(world, "east", "start")
    await(world, pool, "east")
    took = moonpool.now() - back
    assert.is_true(took >= 30000 and took <= 42000, took)
    assert.same({ east = 20 }, (ask(world, pool, "QUORUM")))
    moonpool.sleep(200)
    assert.equal(2, #told)
    assert.same({ "east", "west", "datacenter", "east: 0 of 3 hosts are up" },
      { told[1].from, told[1].to, told[1].level, told[1].reason })
    assert.same({ "west", "east", "datacenter", "east is back: 3 of 3 hosts are up" },
      { told[2].from, told[2].to, told[2].level, told[2].reason })
    assert.equal(2, pool:getStats().dataCenterFailovers)
  end)

  it("is not replaced while it is only shaken", TWO, function(world)
    local pool, told = open(world)
    for _ = 1, 20 do
      each(world, "east", "kill")
      moonpool.sleep(7000)
      each(world, "east", "start")
      moonpool.sleep(4000)
    end
    assert.equal("east", serving(pool))
    assert.same({}, told)
  end)

  it("keeps its local requests: none is answered elsewhere", TWO, function(world)
    local pool = open(world)
    each(world, "east", "kill")
    await(world, pool, "west")
    for _, consistency in ipairs { "LOCAL_ONE", "LOCAL_QUORUM" } do
      local by, errors = ask(world, pool, consistency)
      assert.same({}, by)
      assert.same({ NO_HOST_AVAILABLE = 20 }, errors)
    end
    local lwt = "INSERT INTO ks.t (k, v) VALUES (?, 1) IF NOT EXISTS"
    local by, errors = ask(world, pool, "QUORUM", 10, lwt, { serialConsistency = "LOCAL_SERIAL" })
    assert.same({}, by)
    assert.same({ NO_HOST_AVAILABLE = 10 }, errors)
    -- One host of home is back, too few to serve: it is where local requests go, and only those.
    world.cluster:start(numbers(world, "east")[2])
    world:waitStatus(pool, numbers(world, "east")[2], "up")
    by = ask(world, pool, "LOCAL_ONE")
    assert.same({ east = 20 }, by)
    by = ask(world, pool, "ONE")
    assert.same({ west = 20 }, by)
  end)

  it("lets them follow when that is allowed, but no lightweight transaction of its own", TWO, function(world)
    local pool = open(world, { allowLocalConsistency = true })
    each(world, "east", "kill")
    await(world, pool, "west")
    for _, consistency in ipairs { "LOCAL_ONE", "LOCAL_QUORUM" } do
      assert.same({ west = 20 }, (ask(world, pool, consistency)))
    end
    local lwt = "INSERT INTO ks.t (k, v) VALUES (?, 1) IF NOT EXISTS"
    local by, errors = ask(world, pool, "LOCAL_QUORUM", 10, lwt, { serialConsistency = "LOCAL_SERIAL" })
    assert.same({}, by)
    assert.same({ NO_HOST_AVAILABLE = 10 }, errors)
    by, errors = ask(world, pool, "LOCAL_SERIAL", 5)
    assert.same({}, by)
    assert.same({ NO_HOST_AVAILABLE = 5 }, errors)
  end)

  it("is replaced by the most wanted one that is well", THREE, function(world)
    local pool = open(world, {}, { regionSettings = { south = { priority = 1 }, west = { priority = 2 } } })
    each(world, "east", "kill")
    await(world, pool, "south")
    each(world, "south", "kill")
    await(world, pool, "west")
    each(world, "south", "start")
    moonpool.sleep(60000)
    assert.equal("west", serving(pool))
    each(world, "east", "start")
    await(world, pool, "east")
    each(world, "east", "kill")
    await(world, pool, "south")
    each(world, "east", "start")
    await(world, pool, "east")
  end)

  it("serves again only with open connections", TWO, function(world)
    local pool = open(world)
    each(world, "east", "kill")
    await(world, pool, "west")
    each(world, "east", "start")
    world:waitUp(pool, 6)
    for _, host in ipairs(pool:getHosts()) do
      if host.datacenter == "east" then assert.equal(1, host.connections) end -- it is only watched
    end
    local fewest = math.huge
    world:spawn(function()
      while serving(pool) ~= "east" do moonpool.sleep(1) end
      for _, host in ipairs(pool:getHosts()) do
        if host.datacenter == "east" then fewest = math.min(fewest, host.connections) end
      end
    end)
    await(world, pool, "east")
    moonpool.sleep(50)
    assert.equal(2, fewest)
  end)

  it("moves requests that are in flight without losing one, and none to where it may not go", TWO, function(world)
    local pool, told = open(world, { downFor = 3000, upFor = 5000 }, { loadBalancing = { usedHostsPerRemoteDc = 2 } })
    local dcs = {}
    for number, node in ipairs(world.cluster:nodes()) do dcs[world:host(number)] = node.dc end
    local stop, wrong, failed, done = false, 0, 0, 0
    for i = 1, 8 do
      world:spawn(function()
        local n = 0
        while not stop do
          n = n + 1
          local localOnly = (n + i) % 2 == 0
          local result = pool:execute("SELECT v FROM ks.t WHERE k = ?", { n % 50 },
            { consistency = localOnly and "LOCAL_ONE" or "ONE" })
          done = done + 1
          if result and localOnly and dcs[result.info.host] ~= "east" then wrong = wrong + 1 end
          if not result and not localOnly then failed = failed + 1 end
          moonpool.sleep(5)
        end
      end)
    end
    for _ = 1, 3 do
      moonpool.sleep(2000)
      each(world, "east", "kill")
      await(world, pool, "west")
      moonpool.sleep(2000)
      each(world, "east", "start")
      await(world, pool, "east")
    end
    stop = true
    moonpool.sleep(3000)
    assert.equal(6, #told)
    assert.is_true(done > 5000, done)
    assert.equal(0, wrong)
    assert.equal(0, failed)
  end)

  it("keeps local requests at home in every mixture of moves, retries, copies and half a home", TWO, function(world)
    local pool, told = open(world, { downFor = 1000, upFor = 3000, minUpHosts = 2 }, {
      loadBalancing = { usedHostsPerRemoteDc = 2 }, retry = { policy = "DefaultRetryPolicy", maxRetries = 6 },
      speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 5 },
    })
    local random = support.random(world.seed)
    local levels = { "LOCAL_ONE", "LOCAL_QUORUM", "ONE", "TWO" }
    for i, level in ipairs(levels) do
      world:schema(("CREATE TABLE ks.t%d (k int PRIMARY KEY, v int)"):format(i))
      levels[i] = { level = level, cql = ("SELECT v FROM ks.t%d WHERE k = ?"):format(i), answered = 0, abroad = {} }
      -- Each level has a table of its own, so that the nodes of the west tell which requests came to them.
      for n, number in ipairs(numbers(world, "west")) do
        levels[i].abroad[n] = world.cluster:rule {
          node = number, opcode = "EXECUTE", statement = "ks.t" .. i, delay = 0,
        }
      end
    end
    local stop = false
    world.cluster:rule { statement = "ks.t", error = "OVERLOADED", probability = 0.1 }
    world.cluster:rule { statement = "ks.t", delay = 20, probability = 0.2 }
    for i = 1, 12 do
      world:spawn(function()
        local at = levels[i % 4 + 1]
        while not stop do
          local result = pool:execute(at.cql, { random(50) }, { consistency = at.level, timeout = 1000 })
          if result then at.answered = at.answered + 1 end
          moonpool.sleep(6)
        end
      end)
    end
    for _ = 1, 8 do
      local east = numbers(world, "east")
      table.remove(east, random(3) + 1)
      for _, number in ipairs(east) do world.cluster:kill(number) end
      moonpool.sleep(1500 + random(3000))
      for _, number in ipairs(east) do world.cluster:start(number) end
      moonpool.sleep(4500 + random(3000))
    end
    stop = true
    moonpool.sleep(3000)
    assert.is_true(#told >= 6, #told)
    for i, at in ipairs(levels) do
      assert.is_true(at.answered > 500, at.level .. ": " .. at.answered)
      local abroad = 0
      for _, rule in ipairs(at.abroad) do abroad = abroad + rule:hits() end
      if i <= 2 then assert.equal(0, abroad, at.level) else assert.is_true(abroad > 100, at.level .. ": " .. abroad) end
    end
    assert.is_true(pool:getStats().speculative > 100)
  end)

  it("may be lost from the start", TWO, function(world)
    world:schema("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
    each(world, "east", "kill")
    local pool = world:pool(configuration({}, { contactPoints = { "127.0.0.1", "127.0.0.6" } }))
    assert.equal("east", serving(pool))
    await(world, pool, "west", 14000)
    assert.same({ west = 20 }, (ask(world, pool, "ONE")))
    each(world, "east", "start")
    await(world, pool, "east")
  end)

  it("asks nobody while failover.enabled is false, and without a policy", TWO, function(world)
    for round = 1, 2 do
      local config = configuration { enabled = false }
      if round == 2 then config.failover = nil end
      local pool = world:pool(config)
      world:waitUp(pool, 6)
      assert.is_nil(pool:policies().failover)
      each(world, "east", "kill")
      moonpool.sleep(60000)
      assert.equal("east", serving(pool))
      each(world, "east", "start")
      pool:close()
    end
  end)

  it("is replaced by a policy that comes with a changed configuration, and is home again when that goes", TWO,
    function(world)
      config_file.around(function()
        world:schema("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
        local config = configuration()
        local policy = config.failover
        config.failover = { maxRetries = 5 }
        local pool, told = config_file.open(world, config)
        each(world, "east", "kill")
        moonpool.sleep(30000)
        assert.equal("east", serving(pool))
        config.failover = policy
        config_file.change(world, config)
        await(world, pool, "west", 20000)
        assert.equal("DatacentreFailoverPolicy", pool:policies().failover.name)
        local by, errors = ask(world, pool, "LOCAL_ONE", 5)
        assert.same({ {}, { NO_HOST_AVAILABLE = 5 } }, { by, errors })
        policy.allowLocalConsistency = true
        config_file.change(world, config)
        assert.same({ west = 5 }, (ask(world, pool, "LOCAL_ONE", 5)))
        policy.upFor = 5000
        config_file.change(world, config)
        assert.equal(2, pool:policies().failover.generation)
        each(world, "east", "start")
        await(world, pool, "east", 15000)
        each(world, "east", "kill")
        await(world, pool, "west", 20000)
        each(world, "east", "start")
        world:waitUp(pool, 6)
        config.failover = nil
        config_file.change(world, config)
        await(world, pool, "east", 10000)
        assert.is_nil(pool:policies().failover)
        assert.same({}, told.configError)
      end)
    end)

  it("does not make the pool flap, whatever its nodes do", THREE, function(world)
    local pool, told = open(world, { downFor = 5000, upFor = 20000 })
    local random = support.random(world.seed)
    local over = moonpool.now() + 1800000
    while moonpool.now() < over do
      local dc = ({ "east", "west", "south" })[random(3) + 1]
      each(world, dc, random(2) == 0 and "kill" or "start")
      moonpool.sleep(500 + random(20000))
    end
    for i = 1, #told do
      local before = told[i - 1]
      if before then assert.is_true(told[i].at - before.at >= 5000, told[i].at - before.at) end
    end
    assert.is_true(#told >= 5 and #told <= 200, #told)
    for _, dc in ipairs { "east", "west", "south" } do each(world, dc, "start") end
    await(world, pool, "east", 120000)
    world:waitUp(pool, 6)
    assert.same({ east = 20 }, (ask(world, pool, "LOCAL_QUORUM")))
  end)
end)
