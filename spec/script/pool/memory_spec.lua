-- SPDX-License-Identifier: Apache-2.0
-- What a coroutine holds that waits for its answer, of Lua's memory and of the runtime's: its stack, its future, its
-- request. All are in flight before the first byte leaves, so the nodes hold nothing yet.
local C = require "spec.support.c"
local it = require "spec.support.world".inside(it)
local moonpool = require "moonpool"

local function held()
  collectgarbage()
  collectgarbage()
  return tonumber(C.mp_mem_stats().bytes) + collectgarbage "count" * 1024
end

describe("a coroutine whose request is in flight", function()
  it("holds at most 3.5 kB", { nodes = 1, rf = 1 }, function(world)
    local pool = world:pool { pooling = { maxRequestsPerConnection = 2000 } }
    assert(pool:execute "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
    local statement = assert(pool:prepare "SELECT v FROM ks.t WHERE k = ?")
    world.oracles:look_away()
    local function cost(count)
      local before, futures = held(), {}
      local during
      for i = 1, count do
        futures[i] = moonpool.spawn(function() return assert(pool:execute(statement, { i })).count end)
      end
      futures[count + 1] = moonpool.spawn(function()
        assert.equal(count, pool:getStats().requestsInFlight)
        during = held()
        return true
      end)
      assert(moonpool.all(futures))
      return (during - before) / count
    end
    cost(10)
    local bytes = cost(1000)
    assert.is_true(bytes > 1000 and bytes <= 3500, bytes .. " bytes")
  end)
end)
