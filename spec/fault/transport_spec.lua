-- SPDX-License-Identifier: Apache-2.0
-- What a network does to a pool: connections that end, stall, and lie.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local safe = { mix = { read = 60, write = 40 } }

describe("transport:", function()
  it("T1 resets with requests in flight end each request once, by the gate", function(world)
    local pool = world:pool()
    local told = world:listen(pool, "connectionLost", "connectionAdded")
    local load = workload.new(world, pool):start(48, 60)
    world.sim:latency(3)
    for i = 1, 10 do
      moonpool.sleep(1100 + world.random(100))
      world.sim:cut(i % 3 + 1)
    end
    load:stop()
    assert.is_true(#told.connectionLost >= 10, #told.connectionLost)
    world:healed(pool, 3000)
    load:check()
    assert.equal(0, load:failures "read" + load:failures "write")
    assert.is_true(load:failures "append" > 0, "no append was in flight")
  end)

  it("T2 an answer that was sent before the end is delivered", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool)
    world.sim:latency(20)
    for round = 1, 6 do
      local node = round % 3 + 1
      local answers = world.cluster:node(node).answers
      local futures = {}
      for i = 1, 12 do futures[i] = world:spawn(function() return load:one "append" and true or true end) end
      world:eventually("the node has answered", function() return world.cluster:node(node).answers > answers end)
      world.cluster:drain(node)
      assert(moonpool.all(futures))
      world.cluster:start(node)
      world:waitUp(pool)
    end
    load:check()
    assert.is_true(load.of.append.ok > 0)
  end)

  for _, kind in ipairs { "blackhole", "partition", "pause" } do
    it("T3 an idle connection whose peer is gone is closed by its heartbeat, " .. kind, function(world)
      local pool = world:pool { pooling = { tcpUserTimeout = 0 } }
      local told = world:listen(pool, "hostDown", "connectionLost")
      if kind == "pause" then world.cluster:pause(2) else world[kind](world, 2) end
      local began = moonpool.now()
      world:waitStatus(pool, 2, "down", 7000)
      assert.is_true(moonpool.now() - began <= 5000 + 1000 + 200)
      assert.is_true(#told.connectionLost >= 1 and #told.hostDown == 1)
      for _ = 1, 20 do assert(pool:execute "SELECT key FROM system.local") end
      world:healed(pool, 5000)
    end)
  end

  it("T4 a black hole under load costs no safe request, and is left within 3.5 s", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool, safe):start(16, 15)
    moonpool.sleep(200)
    world:blackhole(2)
    local began = moonpool.now()
    world:waitStatus(pool, 2, "down", 3500)
    assert.is_true(moonpool.now() - began < 3500)
    moonpool.sleep(2000)
    load:stop():none_failed()
    world:healed(pool, 5000)
    load:check()
  end)

  it("T5 black holes among the contact points do not hold the start", { nodes = 3 }, function(world)
    world:blackhole(1)
    world:blackhole(2)
    local began = moonpool.now()
    local pool = world:pool { contactPoints = { "127.0.0.1", "127.0.0.2", "127.0.0.3" } }
    assert.is_true(moonpool.now() - began <= 2100, "connecting took " .. moonpool.now() - began)
    assert(pool:execute "SELECT key FROM system.local")
    world:healed(pool)
  end)

  it("T6 a refusing node is asked seldom, for ever, and used soon when it is back", function(world)
    local pool = world:pool()
    world.cluster:kill(2)
    local before = pool:getStats().connectionErrors
    moonpool.sleep(60000)
    local tries = pool:getStats().connectionErrors - before
    assert.is_true(tries >= 30 and tries <= 240, tries .. " attempts in a minute")
    world.cluster:start(2)
    world:waitStatus(pool, 2, "up", 2500)
  end)

  it("T7 bytes that drip in are no sign of life", function(world)
    local pool = world:pool()
    local node = assert(world:controlNode(pool))
    world.cluster:rule { node = node, swallow = true }
    local over = moonpool.now() + 8000
    while moonpool.now() < over do
      world.cluster:sendEvent(node, "STATUS_CHANGE", "UP", world.cluster:node(node).address)
      moonpool.sleep(100)
    end
    assert(world:controlNode(pool, node), "no other node has the control connection")
    world:healed(pool)
  end)

  for version = 3, 5 do
    it("T8 bytes in pieces of any size are the same requests, version " .. version, function(world)
      local pool = world:pool { protocolVersion = version }
      workload.new(world, pool):run(300, 32):none_failed():check()
    end)
  end

  it("T9 a node that reads nothing gets a bounded share, and nobody waits for it", function(world)
    local pool = world:pool { maxQueuedRequests = 2000 }
    local load = workload.new(world, pool, { mix = { read = 50, write = 50 } })
    local big = assert(pool:prepare "INSERT INTO ks.rows (k, v) VALUES (?, ?)")
    world:stall(2)
    local blob, futures = ("x"):rep(65536), {}
    for i = 1, 150 do
      futures[i] = world:spawn(function()
        assert(pool:execute(big, { "big-" .. i, blob },
          { isIdempotent = true, consistency = "QUORUM", timeout = 4000 }))
        return true
      end)
    end
    local most = 0
    futures[#futures + 1] = world:spawn(function()
      for _ = 1, 50 do
        for _, host in ipairs(pool:getHosts()) do
          if host.address == world:host(2) then most = math.max(most, host.inFlight) end
        end
        moonpool.sleep(20)
      end
      return true
    end)
    load:run(300, 16)
    assert(moonpool.all(futures))
    load:none_failed()
    assert.is_true(most <= 40, most .. " requests waited for a node that reads nothing")
    world:healed(pool)
    load:check()
  end)

  it("T10 what the node cannot have received whole is sent again, whatever it is", { nodes = 3 }, function(world)
    local pool = world:pool { loadBalancing = { policy = "RoundRobinPolicy" } }
    local load = workload.new(world, pool)
    local append = assert(pool:prepare "UPDATE ks.lists SET l = l + ? WHERE k = ?")
    local pad, futures = ("."):rep(400000), {}
    local outcomes = { ok = 0, unknown = 0, never = 0 }
    world:stall(2)
    for i = 1, 12 do
      futures[i] = world:spawn(function()
        local result, err = pool:execute(append, { { "op-big" .. i .. " " .. pad }, 100 + i },
          { consistency = "QUORUM", timeout = 4000 })
        local fate = result and "ok" or err.maybeApplied and "unknown" or "never"
        outcomes[fate] = outcomes[fate] + 1
        local _, executed = world.cluster:received("op-big" .. i)
        assert(executed <= 1 and (fate ~= "never" or executed == 0) and (fate ~= "ok" or executed == 1), fate)
        return true
      end)
    end
    moonpool.sleep(300)
    world.sim:cut(2)
    world:stall(2, false)
    assert(moonpool.all(futures))
    assert.equal(12, outcomes.ok) -- 256 KiB fit into the system's buffer, so none of them was whole
    load:check()
  end)

  it("T11 a node that accepts and never speaks costs one deadline", function(world)
    world.cluster:pause(1)
    local began = moonpool.now()
    local lone = world:newPool()
    local ok, err = lone:connect()
    assert.is_nil(ok)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.equal(1, #err.attempts)
    local took = moonpool.now() - began
    assert.is_true(took >= 1900 and took <= 2200, "it took " .. took)
    began = moonpool.now()
    local pool = world:pool { contactPoints = { "127.0.0.1", "127.0.0.2" } }
    assert.is_true(moonpool.now() - began <= 2200)
    world:healed(pool)
  end)

  it("T11 a node that takes its time at every step costs one deadline over all of them", function(world)
    for _, step in ipairs { "OPTIONS", "STARTUP", "QUERY", "REGISTER" } do
      world.cluster:rule { node = 1, opcode = step, delay = 900 }
    end
    local began = moonpool.now()
    local ok, err = world:newPool():connect()
    assert.is_nil(ok)
    assert.matches("no handshake within 2000 ms: it waits for", tostring(err))
    local took = moonpool.now() - began
    assert.is_true(took >= 1900 and took <= 2200, "it took " .. took)
  end)

  for _, step in ipairs { "OPTIONS", "STARTUP", "QUERY", "REGISTER" } do
    it("T11 silence at " .. step .. " is bounded, too", function(world)
      world.cluster:rule { node = 1, opcode = step, swallow = true }
      local began = moonpool.now()
      local pool = world:newPool()
      local ok = pool:connect()
      assert.is_true(moonpool.now() - began <= 4500, "it took " .. moonpool.now() - began)
      if ok then assert(pool:execute "SELECT key FROM system.local") end
      world.cluster:clearRules()
      assert(pool:connect())
    end)
  end

  it("T12 the first request after a forgotten flow does not find out the hard way", function(world)
    local pool = world:pool()
    for node = 1, 3 do world:blackhole(node) end
    moonpool.sleep(7000) -- heartbeats notice
    for node = 1, 3 do world:blackhole(node, false) end
    world:waitUp(pool, 3, 5000)
    for _ = 1, 30 do
      local result = assert(pool:execute "SELECT key FROM system.local")
      assert.equal(1, result.info.attempts)
    end
  end)

  it("T13 lost answers are unknown, not failures, and the host comes back", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool):start(16, 30)
    for _ = 1, 4 do
      moonpool.sleep(500)
      world:partition(2)
      moonpool.sleep(2500)
      world:partition(2, false)
      moonpool.sleep(1500)
    end
    load:stop()
    world:healed(pool, 5000)
    load:check()
    assert.equal(0, load:failures "read" + load:failures "write")
    assert.is_true(load.of.append.unknown > 0)
  end)

  it("T13 answers that are lost now and then take no host down", function(world)
    local pool = world:pool { attemptTimeout = 100 }
    local told = world:listen(pool, "hostDown", "connectionLost")
    local load = workload.new(world, pool)
    for node = 1, 3 do world.cluster:rule { node = node, opcode = "EXECUTE", drop = true, probability = 0.05 } end
    load:run(500, 12)
    assert.equal(0, #told.hostDown + #told.connectionLost)
    assert.equal(0, load:failures "read" + load:failures "write")
    assert.is_true(load.of.append.unknown > 3, load.of.append.unknown)
    world.cluster:clearRules()
    load:check()
  end)

  it("T14 what this machine cannot open says nothing about the host", function(world)
    local pool = world:pool { pooling = { maxConnectionsPerHost = { ["0"] = 4 }, maxRequestsPerConnection = 8 } }
    local told = world:listen(pool, "hostDown")
    local load = workload.new(world, pool, safe)
    for node = 1, 3 do world:failLocal(node) end
    load:run(600, 60):none_failed()
    assert.equal(0, #told.hostDown)
    world:healed(pool)
    load:check()
  end)
end)
