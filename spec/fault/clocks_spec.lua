-- SPDX-License-Identifier: Apache-2.0
-- Clocks that jump.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

describe("clocks:", function()
  it("C1 a wall clock that goes back an hour changes nothing but what is shown", function(world)
    local pool = world:pool()
    local told = world:listen(pool, "hostDown", "connectionLost")
    local load = workload.new(world, pool):start(8, 15)
    local seen = {}
    for round = 1, 6 do
      world.sim:setWall(1700000000000 - round * 3600000)
      for _ = 1, 50 do
        local uuid = moonpool.timeuuid()
        assert(not seen[uuid], "a timeuuid came twice")
        seen[uuid] = true
      end
      moonpool.sleep(300)
    end
    load:stop():none_failed():check()
    assert.equal(0, #told.hostDown + #told.connectionLost)
  end)

  it("C1 a write behind a clock that went back is newer than those before it", function(world)
    world:schema "CREATE TABLE ks.newest (k int PRIMARY KEY, v int)"
    local pool = world:pool()
    local write = assert(pool:prepare "INSERT INTO newest (k, v) VALUES (?, ?)")
    for round = 0, 5 do
      world.sim:setWall(1700000000000 - round * 3600000)
      assert(pool:execute(write, { 1, round }, { consistency = "QUORUM" }))
      local row = assert(pool:execute("SELECT v FROM newest WHERE k = 1", nil, { consistency = "QUORUM" })):first()
      assert.equal(round, row.v)
    end
  end)

  for _, sleep in ipairs { 1000, 10000, 60000, 86400000 } do
    it("C2 a machine that slept " .. sleep .. " ms finds its connections as it left them", function(world)
      local pool = world:pool { attemptTimeout = 900 }
      local told = world:listen(pool, "hostDown")
      local load = workload.new(world, pool, { mix = { read = 60, write = 40 }, timeout = 1000000000 })
      for _ = 1, 3 do
        load:run(60, 12)
        world.sim:jump(sleep)
        load:run(60, 12)
        moonpool.sleep(7000)
      end
      load:none_failed():check()
      assert.equal(0, #told.hostDown)
    end)
  end

  -- Milliseconds in 32 bits end after 49.7 days; nanoseconds are negative from 2^63 on, and gone at 2^64.
  local ends = { ["2^32 ms"] = 2 ^ 32, ["2^63 ns"] = 2 ^ 63 / 1e6, ["14 years before 2^64 ns"] = 1.8e13 }
  for name, ms in pairs(ends) do
    it("C3 requests, heartbeats and retries go on over " .. name, { beginMs = math.floor(ms) - 5000 }, function(world)
      assert.is_true(moonpool.now() < ms)
      local pool = world:pool()
      local told = world:listen(pool, "hostDown", "hostUp")
      local load = workload.new(world, pool, { mix = { read = 60, write = 40 } }):start(8, 20)
      moonpool.sleep(3000)
      world.cluster:kill(2)
      moonpool.sleep(4000)
      world.cluster:start(2)
      world:waitUp(pool)
      moonpool.sleep(12000)
      assert.is_true(moonpool.now() > ms)
      load:stop():none_failed():check()
      assert.equal(1, #told.hostDown)
      assert.equal(1, #told.hostUp)
    end)
  end

  it("C3 deadlines of any length are deadlines", function(world)
    local pool = world:pool()
    local read = assert(pool:prepare "SELECT key FROM system.local")
    for _, timeout in ipairs { 1, 2, 1000, 65536, 2147483647 } do
      world.cluster:rule { opcode = "EXECUTE", delay = 10, times = 1 }
      local began = moonpool.now()
      local result, err = pool:execute(read, nil, { timeout = timeout })
      assert((result ~= nil) == (timeout > 2), tostring(err))
      assert.is_true(moonpool.now() - began < 60)
      world.cluster:clearRules()
      moonpool.sleep(50)
    end
    for _, wrong in ipairs { 0, -1, 0 / 0, 1e300, 2147483648 } do
      assert.has_error(function() pool:execute(read, nil, { timeout = wrong }) end)
    end
  end)
end)
