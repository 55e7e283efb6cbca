-- SPDX-License-Identifier: Apache-2.0
-- Nodes that come and go by an application's word, while requests run: none is lost.
local moonpool = require "moonpool"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT key FROM system.local"

local function open(world, extra)
  local configuration = { loadBalancing = { policy = "RoundRobinPolicy" } }
  for key, value in pairs(extra or {}) do configuration[key] = value end
  local pool = world:pool(configuration)
  world:waitUp(pool)
  return pool
end

-- Requests all the time, writes that must not run twice among them; the function returned ends them and raises when one
-- failed.
local function load(world, pool)
  world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v list<int>)"
  world.cluster:rule { statement = "ks.t", delay = 20 }
  local stop = world:keepAsking(function(number)
    return pool:execute("UPDATE ks.t SET v = v + [1] WHERE k = " .. number, nil, { prepare = false })
  end)
  return function()
    local count = stop()
    assert.is_true(count > 5)
    return count
  end
end

local function addresses(pool)
  local list = {}
  for _, host in ipairs(pool:getHosts()) do list[#list + 1] = host.address end
  table.sort(list)
  return table.concat(list, " ")
end

describe("pool:removeNode", function()
  it_in("loses no request under load, and the node does not come back by itself", function(world)
    local pool = open(world, { failover = { discoveryInterval = 1000 } })
    local told = world:listen(pool, "hostRemoved", "hostAdded")
    local stop = load(world, pool)
    moonpool.sleep(200)
    assert.is_true(pool:removeNode(world:host(2), { drainConnections = true, drainTimeout = 30000 }))
    assert.equal("127.0.0.1:9042 127.0.0.3:9042", addresses(pool))
    world:eventually("nothing is left, not even a control connection",
      function() return world.cluster:node(2).connections == 0 end)
    moonpool.sleep(5000)
    assert.equal(0, world.cluster:node(2).connections)
    assert.equal("127.0.0.1:9042 127.0.0.3:9042", addresses(pool))
    assert.same({ 1, world:host(2) }, { #told.hostRemoved, told.hostRemoved[1][1] })
    assert.is_true(pool:addNode(world:host(2)))
    world:eventually("it is told", function() return #told.hostAdded == 1 end)
    assert.equal(world:host(2), told.hostAdded[1][1])
    world:waitUp(pool)
    stop()
  end)

  it_in("of the node that keeps the control connection and was the only contact point goes on with others",
    function(world)
    local pool = open(world)
    local stop = load(world, pool)
    assert.is_true(pool:removeNode "127.0.0.1")
    local new = world.cluster:addNode()
    world:eventually("a new node is discovered", function() return world:status(pool, new) == "up" end)
    assert.equal(0, world.cluster:node(1).connections)
    stop()
  end)

  it_in("cuts what is not over in time, and says so", function(world)
    local pool = open(world)
    world:schema "CREATE TABLE ks.slow (k int PRIMARY KEY)"
    world.cluster:rule { statement = "ks.slow", delay = 1500, node = 2 }
    local future = pool:executeAsync("SELECT k FROM ks.slow", nil, { prepare = false, host = world:host(2) })
    moonpool.sleep(10)
    local ok, err = pool:removeNode(world:host(2), { drainTimeout = 100 })
    assert.is_nil(ok)
    assert.equal("TIMEOUT", err.code)
    assert.matches("1 connections still carried requests and were closed", err.message, 1, true)
    assert.is_nil((future:wait()))
    assert.equal("127.0.0.1:9042 127.0.0.3:9042", addresses(pool))
  end)

  it_in("without draining closes at once; what is safe goes elsewhere", function(world)
    local pool = open(world)
    world:schema "CREATE TABLE ks.slow (k int PRIMARY KEY)"
    world.cluster:rule { statement = "ks.slow", delay = 300, node = 2 }
    local futures = {}
    for i = 1, 12 do futures[i] = pool:executeAsync("SELECT k FROM ks.slow", nil, { prepare = false }) end
    moonpool.sleep(10)
    local since = moonpool.now()
    assert.is_true(pool:removeNode(world:host(2), { drainConnections = false }))
    assert.is_true(moonpool.now() - since < 100)
    for i = 1, 12 do assert(futures[i]:wait()) end
  end)

  it_in("refuses the last host, and one that there is not", function(world)
    local pool = open(world)
    assert.is_true(pool:removeNode(world:host(2)))
    assert.is_true(pool:removeNode(world:host(1)))
    local _, err = pool:removeNode(world:host(3))
    assert.equal("INVALID_ARGUMENT", err.code)
    assert.matches("the last host in use", err.message, 1, true)
    _, err = pool:removeNode(world:host(2))
    assert.equal("NOT_FOUND", err.code)
    assert(pool:execute(SELECT))
  end)
end)

describe("pool:addNode", function()
  it_in("lets a node in that came late, without discovery, by a name", function(world)
    local pool = open(world, { failover = { autoDiscovery = false } })
    local stop = load(world, pool)
    local new = world.cluster:addNode()
    moonpool.sleep(3000)
    assert.is_nil(world:status(pool, new))
    world.sim:setName("new-node.example", world.cluster:node(new).address)
    assert.is_true(pool:addNode "new-node.example")
    assert.equal("up", world:status(pool, new))
    stop()
  end)

  it_in("waits for one that joins, and says when there is none", function(world)
    local pool = open(world)
    local _, err = pool:addNode("127.0.0.77", { timeout = 3000 })
    assert.equal("NOT_FOUND", err.code)
    assert.matches("no node of the cluster is at 127.0.0.77", err.message, 1, true)
    local adding = world:spawn(function() return pool:addNode("127.0.0.4", { timeout = 20000 }) end)
    moonpool.sleep(2500)
    world.cluster:addNode()
    assert.is_true(adding:wait())
    _, err = pool:addNode "nowhere.example"
    assert.equal("RESOLVE_FAILED", err.code)
    assert.matches("nowhere.example", err.message, 1, true)
  end)

  it_in("says why a node of the cluster is not reached", function(world)
    local pool = open(world)
    assert.is_true(pool:removeNode(world:host(2)))
    world.cluster:kill(2)
    local ok, err = pool:addNode(world:host(2), { timeout = 2000 })
    assert.is_nil(ok)
    assert.equal("CONNECTION_REFUSED", err.code)
    world.cluster:start(2)
    world:waitStatus(pool, 2, "up")
  end)

  it_in("ends when the pool closes meanwhile", function(world)
    local pool = open(world)
    local adding = world:spawn(function() return select(2, pool:addNode("127.0.0.77", { timeout = 60000 })).code end)
    moonpool.sleep(500)
    pool:close()
    assert.equal("CLOSED", adding:wait())
    assert.equal("CLOSED", select(2, pool:addNode "127.0.0.1").code)
  end)

  it_in("ends when the pool closes while a name is looked up", function(world)
    local pool = open(world)
    local adding = world:spawn(function() return select(2, pool:addNode("far.example", { timeout = 60000 })).code end)
    moonpool.sleep(0)
    pool:close()
    assert.equal("CLOSED", adding:wait())
  end)

  it_in("and removeNode refuse what is no address or option", function(world)
    local pool = world:newPool()
    for _, case in ipairs {
      { function() pool:addNode(5) end, "bad argument #1 to 'addNode'" },
      { function() pool:addNode "cql://a" end, "addNode: must be a host name or an address, not a URL" },
      { function() pool:removeNode("a", { drain = true }) end, "removeNode: unknown option 'drain'" },
      { function() pool:removeNode("a", { drainConnections = 1 }) end, "must be true or false" },
    } do
      local ok, message = pcall(case[1])
      assert.is_false(ok)
      assert(message:find(case[2], 1, true) and message:find("nodes_spec.lua:", 1, true), message)
    end
  end)

  it_in("gives a contact point that is asked again when every address changes", function(world)
    local pool = open(world)
    world.sim:setName("cluster.example", "127.0.0.1")
    assert.is_true(pool:addNode "cluster.example")
    for node = 1, 3 do world.cluster:setAddress(node, "127.0.1." .. node) end
    world.sim:setName("cluster.example", "127.0.1.1")
    world:eventually("all are reached at their new addresses", function()
      return addresses(pool) == "127.0.1.1:9042 127.0.1.2:9042 127.0.1.3:9042" and world:upCount(pool) == 3
    end, 60000)
    assert(pool:execute(SELECT))
  end)
end)

-- Nodes are removed and added at random by the application, and die and start by themselves; in the end those that are
-- not removed serve, and no request was lost that had a host to go to.
describe("nodes that come and go", function()
  for seed = 1, 3 do
    it_in("lose nothing (" .. seed .. ")", { seed = seed, nodes = 5 }, function(world)
      local pool = open(world, { failover = { discoveryInterval = 1000 } })
      local removed = {}
      local stop = load(world, pool)
      for _ = 1, 8 do
        local node = world.random(4) + 2 -- the first one stays
        if removed[node] then
          assert.is_true(pool:addNode(world:host(node)))
          removed[node] = nil
        else
          local ok, err = pool:removeNode(world:host(node))
          assert(ok, tostring(err))
          removed[node] = true
        end
        moonpool.sleep(world.random(400))
      end
      stop()
      moonpool.sleep(3000)
      for node = 1, 5 do
        assert.equal(removed[node] and "nil" or "up", tostring((world:status(pool, node))))
        if removed[node] then assert.equal(0, world.cluster:node(node).connections) end
      end
    end)
  end
end)
