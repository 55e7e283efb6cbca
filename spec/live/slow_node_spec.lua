-- SPDX-License-Identifier: Apache-2.0
-- A node of a real Cassandra that stops answering, and requests that do not wait for it.
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"

describe("a second copy of a slow request", function()
  setup(function() live.cluster() end)

  -- The longest of so many reads, in ms.
  local function slowest(pool, select, count)
    local longest = 0
    for n = 1, count do
      local began = moonpool.now()
      assert(pool:execute(select, { n % 100 }, { consistency = "ONE", timeout = 12000 }))
      longest = math.max(longest, moonpool.now() - began)
    end
    return longest
  end

  it("answers while the first waits for a node that was paused", function()
    local patient = live.pool()
    local pool = live.pool {
      speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 300 },
    }
    local _, select = live.rows(pool, "slow")
    local patiently = assert(patient:prepare "SELECT v FROM slow.kv WHERE k = ?")
    slowest(pool, select, 200)
    slowest(patient, patiently, 200)

    live.cassandraWhileRunning "pause 2"
    local waited = moonpool.spawn(function() return slowest(patient, patiently, 100) end)
    local longest = slowest(pool, select, 100)
    local without = assert(waited:wait())
    live.cassandraWhileRunning "resume 2"
    local stats = pool:getStats()
    assert.is_true(stats.speculativeWins > 0, "no copy was needed")
    assert.is_true(longest < without, ("%d ms with copies, %d ms without"):format(longest, without))
    patient:close()
    pool:close()
  end)
end)
