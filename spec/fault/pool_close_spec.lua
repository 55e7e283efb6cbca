-- SPDX-License-Identifier: Apache-2.0
-- A pool may be closed at any moment, from anywhere, more than once; whoever waited is told once.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

-- What a request may hear from a pool that closes under it.
local endings = { CLOSED = true, CONNECTION_LOST = true, TIMEOUT = true, NO_HOST_AVAILABLE = true }

-- Everything at once on one pool; `closing` ms later it is closed. Each part must end, once.
local function busy_then_close(world, pool, closing)
  local ended, futures = 0, {}
  local function part(fn)
    futures[#futures + 1] = world:spawn(function()
      local ok, err = fn()
      ended = ended + 1
      assert(ok or endings[err.code], tostring(err))
      return true
    end)
  end
  part(function() return pool:connect() end)
  for i = 1, 12 do
    part(function()
      local ok, err = pool:connect()
      if not ok then return nil, err end
      moonpool.sleep(i)
      return pool:execute("SELECT key FROM system.local WHERE key = ?", { "local" })
    end)
    part(function()
      moonpool.sleep(i * 2)
      return pool:execute("INSERT INTO ks.t (k) VALUES (" .. i .. ")")
    end)
    part(function()
      moonpool.sleep(i * 2 + 1)
      return pool:prepare("SELECT k FROM ks.t WHERE k = ? LIMIT " .. i)
    end)
  end
  part(function()
    moonpool.sleep(10)
    return pool:execute "CREATE TABLE IF NOT EXISTS ks.u (k int PRIMARY KEY)"
  end)
  part(function()
    moonpool.sleep(12)
    pool:reload()
    return true
  end)
  moonpool.sleep(closing)
  assert(pool:close())
  assert(moonpool.all(futures))
  assert.equal(#futures, ended)
  local stats = pool:getStats()
  assert.equal(0, stats.requestsInFlight + stats.requestsQueued + stats.totalConnections)
end

describe("closing:", function()
  for _, trouble in ipairs { "none", "slow", "silent", "dying", "names" } do
    it("N8 at every moment of a busy start, trouble: " .. trouble, function(world)
      world:schema "CREATE TABLE ks.t (k int PRIMARY KEY)"
      world.sim:setName("db.example", "127.0.0.1", "127.0.0.2", "127.0.0.3")
      if trouble == "slow" then world.sim:latency(3, 3) end
      if trouble == "silent" then world.cluster:rule { swallow = true, probability = 0.1 } end
      for step = 0, 30 do
        local pool = world:newPool { contactPoints = { trouble == "names" and "db.example" or "127.0.0.1" },
          requestTimeout = 300, attemptTimeout = 100, pooling = { connectionTimeout = 200 } }
        local killer = trouble == "dying" and world:spawn(function()
          moonpool.sleep(step / 2)
          for node = 1, 3 do world.sim:cut(node) end
          return true
        end)
        busy_then_close(world, pool, step * (trouble == "none" and 0.5 or 1.3))
        if killer then killer:wait() end
      end
    end)
  end

  it("N9 twice, at once and again, is one close", function(world)
    local pool = world:pool()
    local futures = {}
    for i = 1, 5 do futures[i] = world:spawn(function() return pool:close() end) end
    assert(moonpool.all(futures))
    assert(pool:close())
    for _, try in ipairs {
      function() return pool:execute "SELECT key FROM system.local" end,
      function() return pool:prepare "SELECT key FROM system.local" end,
      function() return pool:connect() end,
      function() return pool:executeAsync("SELECT key FROM system.local"):wait() end,
      function() return pool:reload() end,
    } do
      local ok, err = try()
      assert.is_nil(ok)
      assert.equal("CLOSED", err.code)
    end
    local unused = world:newPool()
    assert(unused:close())
  end)

  it("N9 inside of the pool's own answers", function(world)
    local pool = world:pool()
    local futures, closed = {}, 0
    for i = 1, 30 do
      futures[i] = world:spawn(function()
        local result, err = pool:execute "SELECT key FROM system.local"
        assert(result or endings[err.code], tostring(err))
        assert(pool:close())
        closed = closed + 1
        return true
      end)
    end
    assert(moonpool.all(futures))
    assert.equal(30, closed)
  end)

  it("N9 a pool that nobody holds any more closes by itself", function(world)
    for _ = 1, 3 do
      do
        local pool = moonpool.ConnectionPool(world:configuration())
        assert(pool:connect())
        assert(pool:execute "SELECT key FROM system.local")
        pool = nil -- luacheck: ignore
      end
      collectgarbage()
      collectgarbage()
      moonpool.sleep(1000)
    end
    local connections = 0
    for node = 1, 3 do connections = connections + world.cluster:node(node).connections end
    assert.is_true(connections <= 4, connections .. " connections are left") -- the last one may still stand on a stack
    collectgarbage()
  end)

  it("N10 a node that leaves while it is busy takes no safe request along", { nodes = 5 }, function(world)
    local pool = world:pool()
    local told = world:listen(pool, "hostRemoved")
    local load = workload.new(world, pool):start(24, 10)
    for node = 5, 4, -1 do
      moonpool.sleep(800)
      world.cluster:removeNode(node)
      world:eventually("it is gone", function() return #told.hostRemoved == 6 - node end, 8000)
    end
    moonpool.sleep(500)
    load:stop()
    assert.equal(0, load:failures "read" + load:failures "write")
    assert.equal(3, #pool:getHosts())
    load:check()
  end)
end)
