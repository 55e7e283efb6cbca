-- SPDX-License-Identifier: Apache-2.0
-- The cluster as Lua sees it, with a real pool as its client: in virtual time and on real sockets.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"
local ports = require "spec.support.ports"

local function connect(options)
  options = options or {}
  local pool = moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
    keyspace = options.keyspace, port = options.port }
  assert(pool:connect())
  return pool
end

describe("a world in virtual time", function()
  it("runs a function with a pool and gives back its results", function()
    local world = sim.world{ seed = 3, rf = 3, keyspace = "app" }
    local started = os.time()
    local a, b = world:run(function(x)
      local pool = connect { keyspace = "app" }
      assert(pool:execute "CREATE TABLE t (k int PRIMARY KEY, v text)")
      for i = 1, 20 do assert(pool:execute("INSERT INTO t (k, v) VALUES (?, ?)", { i, "op-" .. i })) end
      moonpool.sleep(3600000)
      local row = assert(pool:execute("SELECT v FROM t WHERE k = ?", { 7 })):first()
      pool:close()
      return row.v, x
    end, 42)
    assert.same({ "op-7", 42 }, { a, b })
    assert.is_true(world:now() > 3600000)
    assert.is_true(os.time() - started < 30)
    local _, executed = world.cluster:received "op-7"
    assert.equal(1, executed)
    assert.matches("^%x+$", world:close())
  end)

  it("repeats itself byte for byte with the same seed, and differs with another", function()
    local function run(seed)
      local world = sim.world{ seed = seed, rf = 3, trace = true }
      world.cluster:rule{ probability = 0.2, statement = "INSERT", error = "OVERLOADED" }
      world:run(function()
        local pool = connect()
        assert(pool:execute "CREATE TABLE ks.t (k int PRIMARY KEY, v uuid)")
        for i = 1, 30 do pool:execute("INSERT INTO ks.t (k, v) VALUES (?, ?)", { i, moonpool.uuid() }) end
        world.cluster:kill(2)
        for i = 1, 30 do pool:execute("SELECT * FROM ks.t WHERE k = ?", { i }) end
        pool:close()
      end)
      local trace = world:trace()
      return trace, world:close()
    end
    local first, first_hash = run(11)
    local second, second_hash = run(11)
    assert.is_true(#first > 10000)
    assert.is_true(first == second)
    assert.equal(first_hash, second_hash)
    local _, other_hash = run(12)
    assert.not_equal(first_hash, other_hash)
  end)

  it("raises the error of its function and can be used again", function()
    local world = sim.world()
    local ok, why = pcall(world.run, world, function() error "by intention" end)
    assert.is_false(ok)
    assert.matches("by intention", why)
    assert.equal(1, world:run(function() return 1 end))
    world:close()
  end)

  it("notices what was left open", function()
    local world = sim.world()
    local kept
    world:run(function() kept = connect() end)
    assert(kept)
    local ok, why = pcall(world.close, world)
    assert.is_false(ok)
    assert.matches("^.*the world %(seed 1%) was left with ", why)
  end)

  it("breaks nodes and the network between", function()
    local world = sim.world{ rf = 3 }
    world:run(function()
      local cluster, down = world.cluster, {}
      local pool = connect()
      pool:on("hostDown", function(host) down[#down + 1] = type(host) == "table" and host.address or host end)
      assert(pool:execute "CREATE TABLE ks.t (k int PRIMARY KEY)")
      cluster:pause(2)
      cluster:kill(3)
      moonpool.sleep(5000)
      assert.is_false(cluster:node(3).running)
      assert.is_true(cluster:node(2).paused)
      assert.is_false(cluster:node(2).believedUp)
      assert(pool:execute("INSERT INTO ks.t (k) VALUES (1)"))
      local _, err = pool:execute("SELECT * FROM ks.t WHERE k = 1", nil, { consistency = "QUORUM" })
      assert.equal("UNAVAILABLE", err.code)
      cluster:resume(2)
      cluster:start(3)
      moonpool.sleep(5000)
      assert(pool:execute("SELECT * FROM ks.t WHERE k = 1", nil, { consistency = "ALL" }))
      assert.is_true(#down > 0)
      world:latency(50)
      local before = moonpool.now()
      assert(pool:execute("SELECT * FROM ks.t WHERE k = 1"))
      assert.is_true(moonpool.now() - before >= 100)
      pool:close()
    end)
    world:close()
  end)

  it("tells about its nodes and adds some", function()
    local world = sim.world{ nodes = 4, dcs = 2, racks = 2, vnodes = 4 }
    local nodes = world.cluster:nodes()
    assert.equal(4, #nodes)
    assert.same({ "datacenter1", "datacenter1", "datacenter2", "datacenter2" },
      { nodes[1].dc, nodes[2].dc, nodes[3].dc, nodes[4].dc })
    assert.same({ "rack1", "rack2" }, { nodes[1].rack, nodes[2].rack })
    assert.equal("127.0.0.4", nodes[4].address)
    assert.equal(5, world.cluster:addNode{ dc = 3, rack = 1 })
    assert.equal("datacenter3", world.cluster:node(5).dc)
    world.cluster:removeNode(5)
    assert.is_false(world.cluster:node(5).member)
    local id = nodes[2].hostId
    world.cluster:setAddress(2, "127.0.0.22")
    assert.same({ "127.0.0.22", id }, { world.cluster:node(2).address, world.cluster:node(2).hostId })
    world:close()
  end)

  it("refuses wrong options and rules by name", function()
    assert.has_error(function() sim.world{ nodez = 3 } end, "sim.world: unknown key 'nodez'")
    assert.is_false(pcall(sim.world, { nodes = 2, dcs = 3 }))
    local world = sim.world()
    for _, wrong in ipairs { {}, { drop = true, close = true }, { error = "NOPE" }, { opcode = "X", drop = true },
      { frob = 1, drop = true } } do
      assert.is_false(pcall(world.cluster.rule, world.cluster, wrong))
    end
    assert.is_false(pcall(world.cluster.kill, world.cluster, 4))
    assert.is_false(pcall(world.cluster.start, world.cluster, 1))
    local rule = world.cluster:rule{ opcode = "QUERY", error = { code = "READ_TIMEOUT", received = 1, required = 2,
      consistency = "QUORUM", dataPresent = true } }
    assert.equal(0, rule:hits())
    rule:remove()
    world:close()
  end)
end)

describe("a cluster on real sockets", function()
  it("serves the loop of this Lua state", function()
    local cluster = sim.cluster{ nodes = 2, port = ports.at(20), rf = 2 }
    moonpool.run(function()
      local pool = connect { port = ports.at(20) }
      assert(pool:execute "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
      for i = 1, 50 do assert(pool:execute("INSERT INTO ks.t (k, v) VALUES (?, ?)", { i, "v" .. i })) end
      local count = assert(pool:execute "SELECT count(*) FROM ks.t"):first().count
      assert.equal("50", tostring(count):match "%d+")
      pool:close()
    end)
    cluster:close()
    assert.is_false(pcall(cluster.kill, cluster, 1))
  end)

  it("says where it cannot listen", function()
    local cluster = sim.cluster{ nodes = 1, port = ports.at(21) }
    local ok, why = pcall(sim.cluster, { nodes = 1, port = ports.at(21) })
    assert.is_false(ok)
    assert.matches("cannot listen", why)
    cluster:close()
  end)
end)
