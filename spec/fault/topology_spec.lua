-- SPDX-License-Identifier: Apache-2.0
-- Nodes that move, come, go, are replaced, and are spoken of wrongly.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local safe = { mix = { read = 60, write = 40 } }

local function addresses(pool)
  local list = {}
  for _, host in ipairs(pool:getHosts()) do list[#list + 1] = host.address end
  table.sort(list)
  return table.concat(list, " ")
end

-- A pool that hears of no event: it asked for them, was told READY, and nobody took note.
local function deaf(world, options)
  options.protocolVersion = 4
  world.cluster:rule { opcode = "REGISTER", raw = "\132\0\0\0\2\0\0\0\0" }
  return world:pool(options)
end

describe("topology:", function()
  it("G1 a node that moves is the same host, and the others never notice", function(world)
    local pool = world:pool()
    local told = world:listen(pool, "hostAdded", "hostRemoved", "hostDown")
    local load = workload.new(world, pool, safe):start(12, 15)
    for round = 1, 3 do
      moonpool.sleep(1000)
      world.cluster:setAddress(round, "127.0.0." .. 10 + round)
      world:eventually("the host is followed", function() return world:status(pool, round) == "up" end, 5000)
    end
    load:stop():none_failed()
    assert.equal(0, #told.hostAdded + #told.hostRemoved)
    assert.equal("127.0.0.11:9042 127.0.0.12:9042 127.0.0.13:9042", addresses(pool))
    world:healed(pool)
    load:check()
  end)

  it("G2 when all addresses change at once the names are asked again, for ever", function(world)
    world.sim:setName("db.example", "127.0.0.1", "127.0.0.2", "127.0.0.3")
    local pool = world:pool { contactPoints = { "db.example" } }
    for node = 1, 3 do world.cluster:kill(node) end
    moonpool.sleep(30000)
    for node = 1, 3 do
      world.cluster:setAddress(node, "127.0.5." .. node)
      world.cluster:start(node)
    end
    moonpool.sleep(5000)
    assert.equal(0, world:upCount(pool))
    world.sim:setName("db.example", "127.0.5.1", "127.0.5.2", "127.0.5.3")
    world:waitUp(pool, 3, 10000)
    assert(pool:execute "SELECT key FROM system.local")
    assert.equal("127.0.5.1:9042 127.0.5.2:9042 127.0.5.3:9042", addresses(pool))
  end)

  it("G3 a node that died and was replaced, of which nobody says a word, is no ghost", { nodes = 4 }, function(world)
    local pool = deaf(world, { failover = { discoveryInterval = 20000 } })
    local load = workload.new(world, pool, safe):start(8, 15)
    moonpool.sleep(300)
    world.cluster:kill(4)
    moonpool.sleep(3000)
    world.cluster:removeNode(4)
    local new = world.cluster:addNode()
    world:eventually("the new one serves", function() return world:status(pool, new) == "up" end, 30000)
    world:eventually("the old one is gone", function()
      return not addresses(pool):find("127.0.0.4:", 1, true)
    end, 30000)
    load:stop():none_failed()
    load:check()
  end)

  it("G4 another node at the old address is another host", { nodes = 3 }, function(world)
    local pool = deaf(world, { failover = { discoveryInterval = 10000 } })
    local load = workload.new(world, pool)
    load:run(60, 6)
    local address = world.cluster:node(3).address
    world.cluster:kill(3)
    moonpool.sleep(2000)
    world.cluster:removeNode(3)
    local told = world:listen(pool, "hostAdded", "hostRemoved", "hostUp")
    local new = world.cluster:addNode { address = address }
    world:eventually("the new host serves", function()
      return #told.hostAdded == 1 and world:status(pool, new) == "up"
    end, 30000)
    assert.equal(1, #told.hostUp) -- never as the old one, which was looked for there meanwhile
    assert.equal(3, #pool:getHosts())
    load:run(200, 12)
    load:check()
  end)

  it("G5 what happens while the control connection is away is found out", function(world)
    local pool = world:pool()
    for round = 1, 4 do
      world.sim:cut(assert(world:controlNode(pool)))
      moonpool.sleep(round - 1)
      local new = world.cluster:addNode()
      world:eventually("the new node is found", function() return world:status(pool, new) == "up" end, 8000)
      world:waitUp(pool, 3 + round)
    end
  end)

  it("G5 without discovery nodes that come are not used, those that leave are dropped", function(world)
    local pool = world:pool { failover = { autoDiscovery = false } }
    local told = world:listen(pool, "hostAdded", "hostRemoved")
    local new = world.cluster:addNode()
    moonpool.sleep(150000)
    assert.equal(3, #pool:getHosts())
    -- A control connection that is found again reads everything, but makes no new host of it.
    world.sim:cut(assert(world:controlNode(pool)))
    moonpool.sleep(10000)
    world:waitUp(pool, 3)
    world.cluster:kill(1)
    world.cluster:removeNode(1)
    world.sim:cut(2)
    world.sim:cut(3)
    world:eventually("the node that left is dropped", function() return #pool:getHosts() == 2 end, 30000)
    assert.equal("127.0.0.2:9042 127.0.0.3:9042", addresses(pool))
    assert.equal(0, #told.hostAdded)
    assert.is_nil(addresses(pool):find(world.cluster:node(new).address .. ":", 1, true))
    world.cluster:setAddress(2, "127.0.0.12")
    world.sim:cut(3)
    world:eventually("a node that moves is followed", function() return world:status(pool, 2) == "up" end, 60000)
    assert(pool:execute "SELECT key FROM system.local")
  end)

  it("G6 a storm of events costs a refresh a second", function(world)
    local pool = world:pool()
    moonpool.sleep(10000)
    local function queries()
      local sum = 0
      for node = 1, 3 do sum = sum + world.cluster:node(node).queries end
      return sum
    end
    local before = queries()
    for i = 1, 100 do
      for _ = 1, 100 do
        world.cluster:sendEvent(i % 3 + 1, "TOPOLOGY_CHANGE", "NEW_NODE", "127.0.0.77")
        world.cluster:sendEvent(i % 3 + 1, "STATUS_CHANGE", "UP", "127.0.0." .. 100 + i)
      end
      moonpool.sleep(50)
    end
    moonpool.sleep(5000)
    local cost = queries() - before
    assert.is_true(cost >= 2 and cost <= 40, cost .. " queries for 20000 events")
    assert.equal(3, #pool:getHosts())
  end)

  it("G7 UP is a hint: a closed port is asked seldom however often it is said to be open", function(world)
    local pool = world:pool()
    world.cluster:kill(3)
    moonpool.sleep(5000)
    local before = pool:getStats().connectionErrors
    for i = 1, 3000 do -- a hundred times a second
      for node = 1, 2 do
        world.cluster:sendEvent(node, "STATUS_CHANGE", i % 2 == 0 and "UP" or "DOWN", "127.0.0.3")
      end
      moonpool.sleep(10)
    end
    local tries = pool:getStats().connectionErrors - before
    assert.is_true(tries <= 330, tries .. " attempts in half a minute")
    world.cluster:start(3)
    world:waitUp(pool, 3, 3000)
  end)

  it("G8 DOWN about a host whose connections work is not believed", function(world)
    local pool = world:pool()
    local told = world:listen(pool, "hostDown", "connectionLost", "connectionRemoved")
    local load = workload.new(world, pool):start(8, 10)
    for i = 1, 50 do
      for node = 1, 3 do
        world.cluster:sendEvent(node, "STATUS_CHANGE", "DOWN", "127.0.0." .. i % 3 + 1)
      end
      moonpool.sleep(20)
    end
    load:stop():none_failed():check()
    assert.equal(0, #told.hostDown + #told.connectionLost + #told.connectionRemoved)
  end)

  it("G12 a schema change ends in bounded time when a node cannot agree", function(world)
    local pool = world:pool { requestTimeout = 15000 }
    world.cluster:rule { node = 3, statement = "schema_version", swallow = true }
    local began = moonpool.now()
    assert(pool:execute "CREATE TABLE ks.late (k int PRIMARY KEY)")
    assert.is_true(moonpool.now() - began <= 15060, "it took " .. moonpool.now() - began)
    world.cluster:clearRules()
    world.cluster:rule { statement = "schema_version", swallow = true }
    began = moonpool.now()
    local alone = assert(pool:execute "CREATE TABLE ks.alone (k int PRIMARY KEY)")
    assert.is_true(moonpool.now() - began <= 11000, "it took " .. moonpool.now() - began)
    assert.is_true(alone.info.schemaDisagrees)
    world.cluster:clearRules()
    assert.is_nil(assert(pool:execute "CREATE TABLE ks.agreed (k int PRIMARY KEY)").info.schemaDisagrees)
    world.cluster:pause(2)
    began = moonpool.now()
    local result, err = pool:execute("CREATE TABLE ks.later (k int PRIMARY KEY)", nil, { timeout = 12000 })
    assert(result or err.code == "TIMEOUT" or err.maybeApplied, tostring(err))
    assert.is_true(moonpool.now() - began <= 12060)
    world:healed(pool)
  end)

  it("G13 no contact point at the start is an error that lists them, and may be tried again", function(world)
    for node = 1, 3 do world.cluster:kill(node) end
    local pool = world:newPool { contactPoints = { "127.0.0.1", "127.0.0.2", "no.such.name" } }
    for _ = 1, 3 do
      local ok, err = pool:connect()
      assert.is_nil(ok)
      assert.equal("NO_HOST_AVAILABLE", err.code)
      assert.equal(3, #err.attempts)
    end
    world.cluster:start(2)
    assert(pool:connect())
    assert(pool:execute "SELECT key FROM system.local")
  end)

  it("G13 no host later is told at once, and ends by itself", function(world)
    local pool = world:pool()
    for _ = 1, 3 do
      for node = 1, 3 do world.cluster:kill(node) end
      moonpool.sleep(20000)
      local began = moonpool.now()
      local result, err = pool:execute "SELECT key FROM system.local"
      assert.is_nil(result)
      assert.equal("NO_HOST_AVAILABLE", err.code)
      assert.is_false(err.maybeApplied)
      assert.is_true(moonpool.now() - began < 2060)
      world:healed(pool, 3000)
    end
  end)

  it("G14 another datacentre does not answer for the local one unless it may", { nodes = 6, dcs = 2 }, function(world)
    local remote = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } }
    local strict = world:pool { pooling = remote, loadBalancing = { policy = "DCAwareRoundRobinPolicy",
      usedHostsPerRemoteDc = 2 } }
    local open = world:pool { pooling = remote, loadBalancing = { policy = "DCAwareRoundRobinPolicy",
      usedHostsPerRemoteDc = 2, allowRemoteDCsForLocalConsistencyLevel = true } }
    world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)"
    local insert = "INSERT INTO ks.rows (k, v) VALUES ('a', 'b')"
    local read = "SELECT v FROM ks.rows WHERE k = 'a'"
    assert(strict:execute(insert, nil, { consistency = "ALL" }))
    moonpool.sleep(500)
    local locals = {}
    for number, node in ipairs(world.cluster:nodes()) do
      if node.dc == "datacenter1" then locals[#locals + 1] = number end
    end
    for _ = 1, 9 do
      local result = assert(strict:execute(read, nil, { consistency = "ONE" }))
      local host = result.info.host
      for number, node in ipairs(world.cluster:nodes()) do
        if host == world:host(number) then assert.equal("datacenter1", node.dc) end
      end
    end
    for _, number in ipairs(locals) do world.cluster:kill(number) end
    moonpool.sleep(3000)
    local result, err = strict:execute(read, nil, { consistency = "LOCAL_QUORUM" })
    assert.is_nil(result)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert(strict:execute(read, nil, { consistency = "ONE" }))
    assert(open:execute(read, nil, { consistency = "LOCAL_QUORUM" }))
    for _, number in ipairs(locals) do world.cluster:start(number) end
    world:waitUp(strict, 5, 10000) -- the local ones and two of the others
    moonpool.sleep(3000)
    assert(strict:execute(read, nil, { consistency = "LOCAL_QUORUM" }))
  end)

  it("G15 a control connection whose node stands still moves on", function(world)
    local pool = world:pool()
    local node = assert(world:controlNode(pool))
    world.cluster:pause(node)
    world:eventually("another one has it", function() return world:controlNode(pool, node) end, 10000)
    local new = world.cluster:addNode()
    world:eventually("news arrive there", function() return world:status(pool, new) == "up" end, 8000)
    moonpool.sleep(20000)
    world:healed(pool)
  end)

  it("G17 nodes that are drained and come back cost no safe request", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool):start(16, 15)
    for round = 1, 3 do
      moonpool.sleep(700)
      world.cluster:drain(round)
      moonpool.sleep(2500)
      world.cluster:start(round)
      world:waitUp(pool)
    end
    load:stop()
    assert.equal(0, load:failures "read" + load:failures "write")
    world:healed(pool)
    load:check()
  end)

  it("G18 a data path that is dead while the control path lives costs no safe request", function(world)
    local pool = world:pool { attemptTimeout = 200 }
    local load = workload.new(world, pool, safe)
    world.cluster:rule { node = 2, opcode = "EXECUTE", swallow = true }
    load:run(800, 16):none_failed()
    world:healed(pool)
    load:run(100, 16):none_failed():check()
  end)

  it("G19 a cluster that stands where this one was is none of ours", function(world)
    local pool = world:pool { requestTimeout = 500 }
    local address = world.cluster:node(1).address
    for node = 1, 3 do world.cluster:kill(node) end
    moonpool.sleep(1000)
    local other = world.sim.core:cluster {
      seed = 99, nodes = 1, clusterName = "somebody else's", firstAddress = address,
    }
    for _ = 1, 40 do
      moonpool.sleep(500)
      local result = pool:execute("SELECT key FROM system.local", nil, { isIdempotent = true })
      assert(not result, "somebody else answered")
    end
    local stranger = other:node(1)
    assert.is_true(stranger.bytesIn > 0, "nobody ever knocked there")
    assert.equal(0, stranger.prepares + stranger.executes)
    assert.equal(3, #pool:getHosts())
    other:close()
    for node = 1, 3 do world.cluster:start(node) end
    world:healed(pool, 30000)
  end)

  it("G19 a node of another cluster at a known address is never written to", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool, { mix = { write = 50, append = 50 } })
    local address = world.cluster:node(3).address
    world.cluster:kill(3)
    local other = world.sim.core:cluster {
      seed = 99, nodes = 1, clusterName = "somebody else's", firstAddress = address,
    }
    load:run(300, 8, function() moonpool.sleep(200) end)
    assert.equal(0, load:failures "write")
    assert.equal("down", (world:status(pool, 3)))
    local stranger = other:node(1)
    assert.is_true(stranger.bytesIn > 0, "nobody ever knocked there")
    assert.equal(0, stranger.prepares + stranger.executes)
    other:close()
    world:healed(pool, 30000)
    load:check()
  end)
end)
