-- SPDX-License-Identifier: Apache-2.0
-- The keys of `pooling` that change under a running pool, for spec/script/config_live_spec.lua: key, what the
-- configuration has before and after, and the proof.
local moonpool = require "moonpool"
local config_file = require "spec.support.config_file"

local change, connections = config_file.change, config_file.connections
local ids, all_new = config_file.ids, config_file.all_new

-- How long it takes the pool to see that a node went silent.
local function notices_silence(world, pool, node)
  world:blackhole(node)
  local since = moonpool.now()
  world:waitStatus(pool, node, "down", 120000)
  local took = moonpool.now() - since
  world:blackhole(node, false)
  world:waitUp(pool, nil, 120000)
  return took
end

local function adaptive(rules) return { pooling = { maxRequestsPerConnection = 8, adaptivePooling = rules } } end

-- Half of the room of three connections is taken until the function is called that this returns.
local function keep_slow(world, pool)
  local rule, going, futures = world.cluster:rule { statement = "slow", delay = 100 }, true, {}
  for i = 1, 12 do
    futures[i] = moonpool.spawn(function()
      local options = { host = world:host(i % 3 + 1) }
      while going do assert(pool:execute("SELECT key /* slow */ FROM system.local", nil, options)) end
    end)
  end
  return function()
    going = false
    assert(moonpool.all(futures))
    rule:remove()
  end
end

-- With busted's assert.
return function(assert) return {
  { "pooling.coreConnectionsPerHost", { pooling = { maxConnectionsPerHost = { ["0"] = 4 } } },
    { pooling = { maxConnectionsPerHost = { ["0"] = 4 }, coreConnectionsPerHost = { ["0"] = 3 } } },
    function(world, pool)
      assert.equal(3, world.before.connections)
      world:eventually("it grows", function() return connections(pool) == 9 end)
    end },
  { "pooling.coreConnectionsPerHost", { pooling = { coreConnectionsPerHost = { ["0"] = 4 } } },
    { pooling = { coreConnectionsPerHost = { ["0"] = 1 }, maxConnectionsPerHost = { ["0"] = 1 } } },
    function(world, pool)
      assert.equal(12, world.before.connections)
      world:eventually("it shrinks", function() return connections(pool) == 3 end)
    end },
  { "pooling.maxConnectionsPerHost", { pooling = { maxConnectionsPerHost = { ["0"] = 3 },
    coreConnectionsPerHost = { ["0"] = 2 } } },
    { pooling = { maxConnectionsPerHost = { ["0"] = 1 }, coreConnectionsPerHost = { ["0"] = 1 } } },
    function(world, pool) world:eventually("it shrinks", function() return connections(pool) == 3 end) end },
  { "pooling.coreConnectionsPerHost", { pooling = { coreConnectionsPerHost = { ["0"] = 1 } } },
    { pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 2 }, maxConnectionsPerHost = { ["1"] = 2 } } },
    function(world, pool)
      assert.equal(2, world.before.connections)
      world:eventually("remote hosts get connections", function() return connections(pool) == 6 end)
      change(world, { pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 0 } } })
      world:eventually("and lose them", function() return connections(pool) == 2 end)
    end, nil, { nodes = 4, dcs = 2, up = 2 } },
  { "pooling.idleTimeout", { pooling = { idleTimeout = 0 } }, { pooling = { idleTimeout = 2000 } },
    function(world, pool)
      world:eventually("extra connections close", function() return connections(pool) == 3 end, 20000)
    end,
    function(world, pool) -- before: grown by a rush
      local slow = world.cluster:rule { statement = "rush", delay = 500 }
      local futures = {}
      for i = 1, 4500 do futures[i] = pool:executeAsync("SELECT v FROM t WHERE id = 1 /* rush */") end
      world:eventually("it has grown", function() return connections(pool) > 3 end)
      moonpool.all(futures)
      slow:remove()
      moonpool.sleep(20000)
      assert.is_true(connections(pool) > 3)
    end, { quiet = true } },
  { "pooling.heartBeatInterval", { pooling = { heartBeatInterval = 60000 } }, { pooling = { heartBeatInterval = 500 } },
    function(world)
      local before = world.cluster:node(2).options
      world:eventually("heartbeats", function() return world.cluster:node(2).options > before end, 3000)
    end, nil, { quiet = true } },
  { "pooling.heartBeatTimeout", { pooling = { heartBeatInterval = 500, heartBeatTimeout = 20000 } },
    { pooling = { heartBeatInterval = 500, heartBeatTimeout = 300 } },
    function(world, pool) assert.is_true(notices_silence(world, pool, 2) < 1500) end, nil, { quiet = true } },
  { "pooling.connectionTimeout", { pooling = { connectionTimeout = 60000 } }, { pooling = { connectionTimeout = 400 } },
    function(world, pool)
      local before = pool:getStats().connectionErrors
      world:stall(3)
      world.sim:cut(3)
      moonpool.sleep(3000) -- an attempt that hangs ends by its new deadline
      assert.is_true(pool:getStats().connectionErrors > before + 1)
      world:stall(3, false)
    end, nil, { quiet = true } },
  { "pooling.maxRequestsPerConnection", {}, { pooling = { maxRequestsPerConnection = 64 } },
    function(world, pool)
      world:eventually("all are new", function()
        local now, count = ids(pool)
        return count >= 3 and all_new(world.before.pool_ids, now)
      end)
    end },
  { "pooling.adaptivePooling.enabled", {}, { pooling = { adaptivePooling = { enabled = true, minConnections = 3 } } },
    function(world, pool)
      world:eventually("it grows to its least size", function() return connections(pool) == 9 end)
      change(world, {})
      world:eventually("it is of its fixed size", function() return connections(pool) < 9 end, 100000)
    end },
  { "pooling.adaptivePooling.minConnections", adaptive {}, adaptive { minConnections = 4 },
    function(world, pool) world:eventually("it grows", function() return connections(pool) == 12 end) end },
  { "pooling.adaptivePooling.maxConnections", adaptive { minConnections = 3 },
    adaptive { minConnections = 1, maxConnections = 2 },
    function(world, pool) world:eventually("it shrinks", function() return connections(pool) == 6 end) end },
  { "pooling.adaptivePooling.evaluationInterval", adaptive { evaluationInterval = 86400000 },
    adaptive { evaluationInterval = 1000 },
    function(world, pool) world:eventually("it shrinks", function() return connections(pool) == 3 end, 20000) end,
    function(world, pool)
      assert(pool:preallocateConnections { [world:host(1)] = 6 })
      moonpool.sleep(20000)
      assert.equal(8, connections(pool))
    end, { quiet = true } },
  { "pooling.adaptivePooling.scaleDownThreshold", adaptive { scaleDownThreshold = 0, evaluationInterval = 1000 },
    adaptive { scaleDownThreshold = 0.2, evaluationInterval = 1000 },
    function(world, pool) world:eventually("it shrinks", function() return connections(pool) == 3 end, 20000) end,
    function(world, pool)
      assert(pool:preallocateConnections { [world:host(1)] = 6 })
      moonpool.sleep(20000)
      assert.equal(8, connections(pool))
    end, { quiet = true } },
  { "pooling.adaptivePooling.scaleUpThreshold", adaptive { scaleUpThreshold = 1, evaluationInterval = 1000 },
    adaptive { scaleUpThreshold = 0.42, targetUtilization = 0.4, evaluationInterval = 1000 },
    function(world, pool)
      local slow = keep_slow(world, pool)
      world:eventually("it grows", function() return connections(pool) > 3 end, 20000)
      slow()
    end, nil, { quiet = true } },
  { "pooling.adaptivePooling.targetUtilization", adaptive { targetUtilization = 0.75, evaluationInterval = 1000 },
    adaptive { scaleUpThreshold = 0.42, targetUtilization = 0.31, evaluationInterval = 1000 },
    function(world, pool)
      local slow = keep_slow(world, pool)
      world:eventually("it grows", function() return connections(pool) > 3 end, 20000)
      slow()
    end, nil, { quiet = true } },
  { "pooling.warmupTimeout", { pooling = { coreConnectionsPerHost = { ["0"] = 4 }, connectionsPerSecond = 0 } },
    { pooling = { coreConnectionsPerHost = { ["0"] = 4 }, maxConnectionsPerHost = { ["0"] = 16 }, warmupTimeout = 300,
      connectionsPerSecond = 1 } },
    function(world, pool)
      local since = moonpool.now()
      local _, short = pool:preallocateConnections { [world:host(1)] = 16 }
      assert.matches("no answer in time", short.message)
      assert.near(300, moonpool.now() - since, 10)
    end, nil, { quiet = true } },
  { "pooling.enableTcpNoDelay", {}, { pooling = { enableTcpNoDelay = false } },
    function(world, pool)
      world:eventually("all are new", function() return all_new(world.before.pool_ids, (ids(pool))) end)
    end },
  { "pooling.enableTcpKeepAlive", {}, { pooling = { enableTcpKeepAlive = false } },
    function(world, pool)
      world:eventually("all are new", function() return all_new(world.before.pool_ids, (ids(pool))) end)
    end },
  { "pooling.tcpUserTimeout", {}, { pooling = { tcpUserTimeout = 5000 } },
    function(world, pool)
      world:eventually("all are new", function() return all_new(world.before.pool_ids, (ids(pool))) end)
    end },
  { "pooling.reconnectMaxDelay", { pooling = { reconnectBaseDelay = 60000, reconnectMaxDelay = 60000 } },
    { pooling = { reconnectBaseDelay = 10, reconnectMaxDelay = 200 } },
    function(world, pool)
      world.cluster:kill(3)
      moonpool.sleep(5000)
      local before = pool:getStats().connectionErrors
      moonpool.sleep(5000)
      assert.is_true(pool:getStats().connectionErrors > before + 10)
      world.cluster:start(3)
    end, nil, { quiet = true } },
  { "pooling.connectionsPerSecond", { pooling = { connectionsPerSecond = 0 } }, { pooling = { connectionsPerSecond = 1,
    coreConnectionsPerHost = { ["0"] = 4 }, maxConnectionsPerHost = { ["0"] = 4 } } },
    function(world, pool)
      moonpool.sleep(2000)
      assert.is_true(connections(pool) < 8)
      world:eventually("slowly", function() return connections(pool) == 12 end, 20000)
    end },
} end
