-- SPDX-License-Identifier: Apache-2.0
-- Connections to other datacentres: to `usedHostsPerRemoteDc` hosts of each, to others when those fail, and as many to
-- each of them as its region allows.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local it = support.inside(it)

local THREE = { datacenters = { { "us-east-1", 3 }, { "us-west-2", 4 }, { "eu-west-1", 3 } }, nodes = 10, rf = 3 }

local function open(world, used, more)
  local given = {
    localDataCenter = "us-east-1", loadBalancing = { policy = "DCAwareRoundRobinPolicy", usedHostsPerRemoteDc = used },
  }
  for key, value in pairs(more or {}) do given[key] = value end
  return world:pool(given)
end

-- The numbers of the nodes of a datacentre to which the pool is connected.
local function connected(world, pool, dc)
  local list = {}
  for number, node in ipairs(world.cluster:nodes()) do
    local _, host = world:status(pool, number)
    if node.dc == dc and host and host.connections > 0 then list[#list + 1] = number end
  end
  return list
end

local function numbers(world, dc)
  local list = {}
  for number, node in ipairs(world.cluster:nodes()) do
    if node.dc == dc then list[#list + 1] = number end
  end
  return list
end

local function await(world, pool, dc, count, limit)
  world:eventually(count .. " hosts of " .. dc .. " are connected to",
    function() return #connected(world, pool, dc) == count end, limit)
end

describe("usedHostsPerRemoteDc", function()
  it("is to how many hosts of each remote datacentre connections are opened", THREE, function(world)
    local pool = open(world, 2)
    moonpool.sleep(5000)
    assert.same({ 3, 2, 2 }, { #connected(world, pool, "us-east-1"), #connected(world, pool, "us-west-2"),
      #connected(world, pool, "eu-west-1") })
    local ignored = 0
    for number, node in ipairs(world.cluster:nodes()) do
      local _, host = world:status(pool, number)
      if host.distance == "ignored" then
        ignored = ignored + 1
        assert.equal(0, node.connections)
      end
    end
    assert.equal(3, ignored)
  end)

  it("is hostsPerRegion where regions are in an order", THREE, function(world)
    for _, case in ipairs { { nil, 3 }, { 1, 1 }, { 0, 4 } } do
      local pool = world:pool { localDataCenter = "us-east-1",
        loadBalancing = { policy = "RegionPriorityPolicy", hostsPerRegion = case[1] } }
      moonpool.sleep(2000)
      assert.equal(case[2], #connected(world, pool, "us-west-2"))
    end
  end)

  it("moves on to others when those fail, and keeps what works", THREE, function(world)
    local pool = open(world, 2)
    local first = connected(world, pool, "us-west-2")
    world.cluster:kill(first[1])
    world:eventually("another one takes its place", function()
      local now = connected(world, pool, "us-west-2")
      return #now == 2 and now[1] ~= first[1] and now[2] ~= first[1]
    end, 3000)
    world.cluster:start(first[1])
    moonpool.sleep(20000)
    local now = connected(world, pool, "us-west-2")
    assert.equal(2, #now)
    for _, number in ipairs(now) do assert.is_true(number ~= first[1], "it came back for nothing") end
  end)

  it("finds the last one that lives, and the first one that comes back", THREE, function(world)
    local pool = open(world, 2)
    local all = numbers(world, "us-west-2")
    for i = 1, 3 do world.cluster:kill(all[i]) end
    world:eventually("the last one serves", function()
      return connected(world, pool, "us-west-2")[1] == all[4]
    end, 5000)
    world.cluster:kill(all[4])
    moonpool.sleep(30000)
    assert.same({}, connected(world, pool, "us-west-2"))
    world.cluster:start(all[2])
    world:eventually("one is back", function() return connected(world, pool, "us-west-2")[1] == all[2] end, 10000)
    await(world, pool, "eu-west-1", 2)
  end)

  it("is kept while hosts come and go at random", THREE, function(world)
    local pool = open(world, 2)
    local remote = numbers(world, "us-west-2")
    for step = 1, 120 do
      local number = remote[world.random(#remote) + 1]
      local node = world.cluster:node(number)
      world.cluster[node.serving and "kill" or "start"](world.cluster, number)
      moonpool.sleep(world.random(700))
      assert.is_true(#connected(world, pool, "us-west-2") <= 2, "in step " .. step)
      assert.equal(2, #connected(world, pool, "eu-west-1"))
    end
    world:calm()
    await(world, pool, "us-west-2", 2)
    world:healed(pool)
  end)

  it("is what serves when the local datacentre is gone", THREE, function(world)
    local pool = open(world, 1)
    for _, number in ipairs(numbers(world, "us-east-1")) do world.cluster:kill(number) end
    moonpool.sleep(2000)
    for _ = 1, 10 do assert(pool:execute("SELECT key FROM system.local", nil, { consistency = "ONE" })) end
    local _, err = pool:execute("SELECT key FROM system.local", nil, { consistency = "LOCAL_ONE" })
    assert.equal("NO_HOST_AVAILABLE", err.code)
  end)

  it("is not the same hosts for each client", THREE, function(world)
    local seen, count = {}, 0
    for _ = 1, 12 do
      local pool = open(world, 1)
      local number = connected(world, pool, "us-west-2")[1]
      if not seen[number] then seen[number], count = true, count + 1 end
    end
    assert.is_true(count >= 3, count .. " of 4")
  end)

  it("does not keep a failover policy from seeing every host", THREE, function(world)
    local pool = open(world, 1, { failover = { policy = "DatacentreFailoverPolicy" } })
    await(world, pool, "us-west-2", 4)
    await(world, pool, "eu-west-1", 3)
  end)

  it("counts nodes that join and leave", THREE, function(world)
    local pool = open(world, 4)
    assert.equal(3, #connected(world, pool, "eu-west-1"))
    local new = world.cluster:addNode { dc = 3 }
    await(world, pool, "eu-west-1", 4)
    world.cluster:addNode { dc = 3 }
    moonpool.sleep(10000)
    await(world, pool, "eu-west-1", 4)
    world.cluster:removeNode(new)
    moonpool.sleep(3000)
    await(world, pool, "eu-west-1", 4)
  end)
end)

describe("regionSettings", function()
  local regions = {
    ["us-east-1"] = { maxConnections = 16, priority = 1 }, ["us-west-2"] = { maxConnections = 8, priority = 2 },
    ["eu-west-1"] = { maxConnections = 4, priority = 3 },
  }

  local function loaded(world, pool, limit_of)
    local most = {}
    world.cluster:rule { statement = "sleep", delay = 400 }
    local going, futures = true, {}
    for number in ipairs(world.cluster:nodes()) do
      local _, host = world:status(pool, number)
      most[number] = 0
      for _ = 1, host.distance == "ignored" and 0 or 40 do
        futures[#futures + 1] = world:spawn(function()
          while going do
            assert(pool:execute("SELECT key /* sleep */ FROM system.local", nil, { host = world:host(number) }))
          end
        end)
      end
    end
    for _ = 1, 60 do
      moonpool.sleep(100)
      for number in ipairs(most) do
        local _, host = world:status(pool, number)
        most[number] = math.max(most[number], host.connections)
      end
    end
    going = false
    for number, count in ipairs(most) do
      local _, host = world:status(pool, number)
      assert.equal(host.distance == "ignored" and 0 or limit_of[host.datacenter], count)
    end
    for _, future in ipairs(futures) do future:wait() end
  end

  it("gives each host as many connections as its region says, whatever the defaults are", THREE, function(world)
    local pool = open(world, 2, { regionSettings = regions, requestTimeout = 60000, attemptTimeout = 50000,
      pooling = { maxRequestsPerConnection = 2 } })
    loaded(world, pool, { ["us-east-1"] = 16, ["us-west-2"] = 8, ["eu-west-1"] = 4 })
  end)

  it("goes before maxConnectionsPerHost, in both directions", THREE, function(world)
    local pool = open(world, 2, { requestTimeout = 60000, attemptTimeout = 50000,
      regionSettings = { ["us-east-1"] = { maxConnections = 2 }, ["us-west-2"] = { maxConnections = 6 } },
      pooling = { maxRequestsPerConnection = 2, coreConnectionsPerHost = { ["0"] = 3, ["1"] = 1 },
        maxConnectionsPerHost = { ["0"] = 8, ["1"] = 3 } } })
    loaded(world, pool, { ["us-east-1"] = 2, ["us-west-2"] = 6, ["eu-west-1"] = 3 })
  end)

  it("orders the datacentres that may serve by priority", THREE, function(world)
    for _, case in ipairs { { "us-west-2", 1, 2 }, { "eu-west-1", 2, 1 } } do
      local pool = open(world, 1, {
        regionSettings = { ["us-west-2"] = { priority = case[2] }, ["eu-west-1"] = { priority = case[3] } },
        failover = { policy = "DatacentreFailoverPolicy", downFor = 1000, upFor = 2000 },
      })
      world:waitUp(pool)
      for _, number in ipairs(numbers(world, "us-east-1")) do world.cluster:kill(number) end
      world:eventually(case[1] .. " serves", function() return pool:getMetrics().servingDataCenter == case[1] end)
      world:calm()
      world:eventually("home serves", function() return pool:getMetrics().servingDataCenter == "us-east-1" end, 30000)
      pool:close()
    end
  end)
end)
