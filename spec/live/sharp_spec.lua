-- SPDX-License-Identifier: Apache-2.0
-- The sharp one: writes that must not run twice, while nodes die. A list remembers each append, so a lost write and a
-- doubled one both show.
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"

describe("list appends on a real Cassandra that loses nodes", function()
  setup(function() live.cluster() end)

  it("stand once when acknowledged, at most once when unknown, never when certainly not applied", function()
    local pool = live.pool()
    live.keyspace(pool, "sharp")
    live.ddl(pool, "CREATE TABLE IF NOT EXISTS sharp.ops (k int PRIMARY KEY, l list<text>)")
    assert(pool:execute("TRUNCATE sharp.ops", nil, { timeout = 60000, isIdempotent = true }))
    local append = assert(pool:prepare "UPDATE sharp.ops SET l = l + ? WHERE k = ?")
    local acknowledged, unknown, refused = {}, {}, {}
    local load = live.load(16, function(i, n)
      local op = i .. "-" .. n
      moonpool.sleep(5)
      local result, err = pool:execute(append, { { op }, i }, { consistency = "QUORUM", timeout = 5000 })
      if result then
        acknowledged[op] = i
      elseif err.maybeApplied then
        unknown[op] = i
      else
        refused[op] = i
      end
      return true
    end)
    moonpool.sleep(2000)
    live.cassandraWhileRunning "kill 3"
    moonpool.sleep(3000)
    live.cassandraWhileRunning "pause 2"
    moonpool.sleep(6000)
    live.cassandraWhileRunning "resume 2"
    moonpool.sleep(3000)
    live.cassandraWhileRunning "start 3"
    moonpool.sleep(3000)
    load:stop()

    local stands = {}
    live.eventually(60000, "all replicas answer", function()
      stands = {}
      for i = 1, 16 do
        local result = pool:execute("SELECT l FROM sharp.ops WHERE k = ?", { i },
          { consistency = "ALL", timeout = 20000 })
        if not result then return false end
        local row = result:first()
        for _, op in ipairs(row and row.l or {}) do stands[op] = (stands[op] or 0) + 1 end
      end
      return true
    end)
    local count = { acknowledged = 0, unknown = 0, refused = 0 }
    for op in pairs(acknowledged) do
      count.acknowledged = count.acknowledged + 1
      assert.equal(1, stands[op], "acknowledged " .. op)
    end
    for op in pairs(unknown) do
      count.unknown = count.unknown + 1
      assert.is_true((stands[op] or 0) <= 1, "unknown " .. op)
    end
    for op in pairs(refused) do
      count.refused = count.refused + 1
      assert.is_nil(stands[op], "certainly not applied " .. op)
    end
    io.write(string.format("  %d acknowledged, %d unknown, %d certainly not applied\n", count.acknowledged,
      count.unknown, count.refused))
    assert.is_true(count.acknowledged > 1000)
    assert.is_true(count.unknown + count.refused > 0, "the nodes died too gently to prove anything")
    pool:close()
  end)
end)
