-- SPDX-License-Identifier: Apache-2.0
-- All that an application may do to hosts, in any order and at the same time, while nodes fail and requests run. One
-- host is left alone, so a safe request always has somewhere to go; in the end everything is as if nothing had been.
local moonpool = require "moonpool"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT key FROM system.local"
local ERRORS = { TIMEOUT = true, NOT_FOUND = true, INVALID_ARGUMENT = true, CONNECTION_REFUSED = true,
  CONNECTION_LOST = true, CONNECT_FAILED = true, AGAIN = true, CLOSED = true }

local verbs = {
  function(pool, host) return pool:pause(host) end,
  function(pool, host) return pool:resume(host) end,
  function(pool, host, random) return pool:resume(host, { weight = random(10) / 10 }) end,
  function(pool, host, random) return pool:drain(host, { timeout = random(300) }) end,
  function(pool, host) return pool:reconnect(host) end,
  function(pool, host, random) return pool:resize(host, { core = random(3) + 1, max = random(3) + 3 }) end,
  function(pool, host) return pool:resize(host) end,
  function(pool, host, random) return pool:removeNode(host, { drainTimeout = random(300),
    drainConnections = random(4) > 0 }) end,
  function(pool, host, random) return pool:addNode(host, { timeout = random(1000) }) end,
  function(pool, host, random) return pool:recoverConnection(host, { maxAttempts = 2, backoffDelay = random(200) }) end,
  function(pool, _, random)
    return pool:usePolicy("balance", random(2) == 0 and "RoundRobinPolicy" or "LeastLoadedPolicy")
  end,
}

local function start_load(world, pool)
  local going, count, failure = true, 0, nil
  for _ = 1, 4 do
    world:spawn(function()
      while going and count < 20000 do
        local result, err = pool:execute(SELECT, nil, { isIdempotent = true })
        count = count + 1
        if not result then failure = failure or err end
        moonpool.sleep(5)
      end
    end)
  end
  return function()
    going = false
    moonpool.sleep(3000)
    if failure then error(tostring(failure), 2) end
    assert.is_true(count > 100)
  end
end

describe("hosts that are steered at random", function()
  for seed = 1, 6 do
    it_in("cost no safe request, and leave nothing behind (" .. seed .. ")", { seed = seed, nodes = 4 }, function(world)
      local pool = world:newPool { loadBalancing = { policy = "RoundRobinPolicy" },
        circuitBreaker = { enabled = true, failureThreshold = 2, recoveryTimeout = 500 },
        failover = { discoveryInterval = 1000 } }
      local standing = 0
      pool:on("connectionAdded", function() standing = standing + 1 end)
      pool:on("connectionRemoved", function() standing = standing - 1 end)
      assert(pool:connect())
      world:waitUp(pool)
      local stop = start_load(world, pool)
      for _ = 1, 40 do
        local node = world.random(3) + 2
        local verb, host = verbs[world.random(#verbs) + 1], world:host(node)
        world:spawn(function()
          local ok, err = verb(pool, host, world.random)
          if not ok then assert(ERRORS[err.code], tostring(err)) end
        end)
        if world.random(8) == 0 then
          if world.cluster:node(node).serving then world.cluster:kill(node) else world.cluster:start(node) end
        end
        moonpool.sleep(world.random(120))
      end
      moonpool.sleep(3000)
      stop()
      world:calm()
      for node = 2, 4 do
        assert(pool:addNode(world:host(node), { timeout = 20000 }) or pool:resume(world:host(node)))
        assert.is_true(pool:resume(world:host(node)))
        assert.is_true(pool:resize(world:host(node)))
      end
      assert.is_true(pool:usePolicy "balance")
      world:waitUp(pool, 4)
      world:healed(pool)
      moonpool.sleep(2000)
      local before = world.cluster:requests(3)
      for _ = 1, 16 do assert(pool:execute(SELECT)) end
      assert.is_true(world.cluster:requests(3) > before)
      assert.equal(pool:getStats().totalConnections, standing)
      assert(pool:close())
      world:eventually("all are told", function() return standing == 0 end)
    end)
  end
end)
