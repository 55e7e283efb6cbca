-- SPDX-License-Identifier: Apache-2.0
-- Connections that are there before the load: initialize() with and without `warmup`, warmup() and
-- preallocateConnections{}.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local it = support.inside(it)

local function pooling(more)
  local out = { coreConnectionsPerHost = { ["0"] = 4 }, maxConnectionsPerHost = { ["0"] = 16 } }
  for key, value in pairs(more or {}) do out[key] = value end
  return { pooling = out }
end

local function connections(world, pool)
  local list = {}
  for number in ipairs(world.cluster:nodes()) do
    local _, host = world:status(pool, number)
    list[number] = host and host.connections
  end
  return list
end

describe("initialize() with warmup", function()
  it("has the core connections of every host when it returns", function(world)
    local pool = world:newPool(pooling { warmup = true })
    assert(pool:initialize())
    assert.same({ 4, 4, 4 }, connections(world, pool))
  end)

  it("is what happens when nothing is said", function(world)
    assert.same({ 4, 4, 4 }, connections(world, world:pool(pooling())))
  end)

  for _, fault in ipairs { "kill", "pause", "blackhole" } do
    it("is not held up by a node that is dead: " .. fault, function(world)
      local owner = fault == "blackhole" and world or world.cluster
      owner[fault](owner, 3)
      local pool = world:newPool(pooling { warmup = true, warmupTimeout = 30000, connectionTimeout = 20000 })
      local began = moonpool.now()
      assert(pool:initialize())
      assert.is_true(moonpool.now() - began < 2500, "it took " .. moonpool.now() - began)
      local now = connections(world, pool)
      assert.same({ 4, 4, 0 }, now)
    end)
  end

  it("is not held up by a node that refuses or ends each handshake", function(world)
    for _, how in ipairs { { error = "SERVER_ERROR" }, { error = "OVERLOADED" }, { reset = true } } do
      local spec = { node = 3, opcode = "STARTUP" }
      for name, value in pairs(how) do spec[name] = value end
      local rule = world.cluster:rule(spec)
      local pool = world:newPool(pooling { warmup = true, warmupTimeout = 30000, connectionTimeout = 20000 })
      local began = moonpool.now()
      assert(pool:initialize())
      assert.is_true(moonpool.now() - began < 2500, "it took " .. moonpool.now() - began)
      world.cluster:clearRules()
      assert(rule)
    end
  end)

  it("waits for a node that is only far away", function(world)
    world.sim:latency(150, 0, 3)
    local pool = world:newPool(pooling { warmup = true, connectionTimeout = 5000 })
    assert(pool:initialize())
    assert.same({ 4, 4, 4 }, connections(world, pool))
  end)

  it("does not wait for connectionsPerSecond, which is for later ones", function(world)
    local pool = world:newPool(pooling { connectionsPerSecond = 1, warmupTimeout = 20000 })
    local began = moonpool.now()
    assert(pool:initialize())
    assert.same({ 4, 4, 4 }, connections(world, pool))
    assert.is_true(moonpool.now() - began < 1000)
  end)

  it("waits for hosts that are slow up to warmupTimeout", function(world)
    world.sim:latency(300, 0, 3)
    local pool = world:newPool(pooling { warmupTimeout = 500, connectionTimeout = 5000 })
    local began = moonpool.now()
    assert(pool:initialize())
    assert.is_true(moonpool.now() - began < 700)
    local list = connections(world, pool)
    assert.same({ 4, 4, 0 }, list)
    world:eventually("the rest comes", function()
      list = connections(world, pool)
      return list[1] + list[2] + list[3] == 12
    end)
  end)

  it("returns with the first local host when it is false", { nodes = 4, dcs = 2 }, function(world)
    world.sim:latency(100, 0, 1)
    local more = pooling { warmup = false }
    more.contactPoints, more.loadBalancing = { "127.0.0.2" }, { usedHostsPerRemoteDc = 2 }
    local pool = world:newPool(more)
    assert(pool:initialize())
    local locals, all = 0, 0
    for number, node in ipairs(world.cluster:nodes()) do
      local count = connections(world, pool)[number] or 0
      all = all + count
      if node.dc == "datacenter1" then locals = locals + count end
    end
    assert.is_true(locals >= 1)
    assert.is_true(all < 2 * 4 + 2)
    local reached, err = pool:warmup()
    assert.is_nil(err)
    local sum = 0
    for _, count in pairs(reached) do sum = sum + count end
    assert.equal(2 * 4 + 2, sum)
  end)
end)

describe("warmup()", function()
  it("gives what each host has, and an error that names those that fall short", function(world)
    local pool = world:pool(pooling())
    local reached, err = pool:warmup()
    assert.is_nil(err)
    assert.same({ [world:host(1)] = 4, [world:host(2)] = 4, [world:host(3)] = 4 }, reached)
    world.cluster:kill(2)
    moonpool.sleep(100)
    reached, err = pool:warmup()
    assert.same({ [world:host(1)] = 4, [world:host(2)] = 0, [world:host(3)] = 4 }, reached)
    assert.matches("^127%.0%.0%.2:9042 has 0 of 4 connections: ", err.message)
    assert.equal(world:host(2), err.attempts[1].host)
  end)

  it("needs a pool that is connected, and ends with it", function(world)
    local pool = world:newPool(pooling())
    local ok, err = pool:warmup()
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
    assert(pool:connect())
    local waits = world:spawn(function()
      local reached, short = pool:preallocateConnections { [world:host(1)] = 16 }
      return { reached = reached, short = short }
    end)
    moonpool.sleep(0)
    pool:close()
    local told = waits:wait()
    assert.equal("CLOSED", told.short.code)
    ok, err = pool:warmup()
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
    assert.is_false((pcall(pool.warmup, pool, 5)))
  end)
end)

describe("preallocateConnections{}", function()
  it("opens so many to each host, side by side, and says what each reached", function(world)
    local pool = world:pool { pooling = { maxConnectionsPerHost = { ["0"] = 16 }, idleTimeout = 8000 } }
    world.sim:latency(20)
    local began = moonpool.now()
    local reached, err = pool:preallocateConnections { ["127.0.0.1"] = 8, [world:host(2)] = 8, ["127.0.0.3"] = 4 }
    assert.is_nil(err)
    assert.same({ ["127.0.0.1"] = 8, [world:host(2)] = 8, ["127.0.0.3"] = 4 }, reached)
    assert.same({ 8, 8, 4 }, connections(world, pool))
    assert.is_true(moonpool.now() - began < 400, "one after the other: " .. moonpool.now() - began)
    moonpool.sleep(30000)
    assert.same({ 1, 1, 1 }, connections(world, pool))
  end)

  it("knows hosts by the names of contact points", function(world)
    world.sim:setName("node1", "127.0.0.1")
    world.sim:setName("node2", "127.0.0.2")
    local pool = world:newPool { contactPoints = { "node1", "node2:9042" },
      pooling = { maxConnectionsPerHost = { ["0"] = 8 } } }
    assert(pool:connect())
    local reached, err = pool:preallocateConnections { node1 = 3, ["node2:9042"] = 2 }
    assert.is_nil(err)
    assert.same({ node1 = 3, ["node2:9042"] = 2 }, reached)
    assert.same({ 3, 2, 1 }, connections(world, pool))
  end)

  it("never goes beyond the maximum, and says so", function(world)
    local pool = world:pool { pooling = { maxConnectionsPerHost = { ["0"] = 5 } } }
    local reached, err = pool:preallocateConnections { ["127.0.0.1"] = 9, ["127.0.0.2"] = 2 }
    assert.same({ ["127.0.0.1"] = 5, ["127.0.0.2"] = 2 }, reached)
    assert.equal("127.0.0.1:9042 has 5 of 9 connections: at most 5 are allowed (maxConnectionsPerHost, "
      .. "regionSettings)", err.message)
  end)

  it("says which host is none, which is down, and opens the others", function(world)
    local pool = world:pool { pooling = { maxConnectionsPerHost = { ["0"] = 8 } } }
    world.cluster:kill(3)
    moonpool.sleep(200)
    local reached, err = pool:preallocateConnections { ["127.0.0.1"] = 3, ["127.0.0.3"] = 3, ["127.0.0.9"] = 2 }
    assert.same({ ["127.0.0.1"] = 3, ["127.0.0.3"] = 0, ["127.0.0.9"] = 0 }, reached)
    assert.equal("NOT_FOUND", err.code)
    assert.matches("^there is no host 127%.0%.0%.9", err.message)
    assert.matches("127%.0%.0%.3:9042 has 0 of 3 connections", err.message)
  end)

  it("raises for what is no number of connections", function(world)
    local pool = world:pool()
    for _, wrong in ipairs { 5, { 5 }, { ["127.0.0.1"] = 0 }, { ["127.0.0.1"] = 1.5 }, { ["127.0.0.1"] = "3" },
      { ["127.0.0.1"] = 5000 } } do
      local ok, message = pcall(pool.preallocateConnections, pool, wrong)
      assert.is_false(ok)
      assert.matches("^.*preallocateConnections: ", message)
    end
    assert.same({}, (pool:preallocateConnections {}))
  end)

  it("ends whatever happens meanwhile", function(world)
    local pool = world:pool { pooling = { maxConnectionsPerHost = { ["0"] = 8 }, idleTimeout = 2000 } }
    local futures = {}
    for round = 1, 60 do
      local host = 1 + world.random(3)
      futures[round] = world:spawn(function()
        local reached = assert(pool:preallocateConnections { [world:host(host)] = 1 + world.random(10) })
        return reached[world:host(host)]
      end)
      moonpool.sleep(world.random(300))
      local node = 1 + world.random(3)
      world.cluster[world.cluster:node(node).serving and "kill" or "start"](world.cluster, node)
    end
    for _, future in ipairs(futures) do assert.is_true(assert(future:wait()) <= 8) end
    world:healed(pool)
  end)
end)
