-- SPDX-License-Identifier: Apache-2.0
-- Batches, by hand and automatic, on a real Cassandra: what it takes, and in which words it refuses; the simulated one
-- says the same in spec/sim/batch_spec.lua.
local live = require "spec.support.live"
local moonpool = require "moonpool"
local it = live.inCoroutine(it)

describe("batches on a real Cassandra", function()
  setup(function() live.cluster() end)

  local function open(version, extra)
    local configuration = extra or {}
    configuration.protocolVersion = version
    local pool = live.pool(configuration)
    live.keyspace(pool, "batches")
    for _, cql in ipairs { "t (k int, c int, v text, PRIMARY KEY (k, c))", "u (k int PRIMARY KEY, v text)",
      "n (k int PRIMARY KEY, c counter)" } do
      live.ddl(pool, "CREATE TABLE IF NOT EXISTS batches." .. cql)
    end
    return pool
  end

  local function refused(pool, message, statements, options)
    local result, err = pool:batch(statements, options)
    assert.is_nil(result)
    assert.equal("INVALID", err.code)
    assert.matches(message, err.message, 1, true)
  end

  for _, version in ipairs { 5, 4, 3 } do
    it("are stored, refused and conditional over protocol v" .. version, function()
      local pool = open(version)
      local quorum = { consistency = "QUORUM" }
      local insert = assert(pool:prepare "INSERT INTO batches.t (k, c, v) VALUES (?, ?, ?)")
      local k = version * 100
      for _, type in ipairs { "logged", "unlogged" } do
        assert(pool:batch({ { insert, { k, 1, type } }, { "INSERT INTO batches.u (k, v) VALUES (?, 'x')", { k } },
          ("DELETE FROM batches.t WHERE k = %d AND c = 2"):format(k) },
          { type = type, consistency = "QUORUM", timestamp = type == "logged" and 77 or nil }))
      end
      assert.equal("unlogged",
        assert(pool:execute("SELECT v FROM batches.t WHERE k = ?", { k }, quorum)):first().v)
      local add = "UPDATE batches.n SET c = c + ? WHERE k = ?"
      assert(pool:batch({ { add, { 2, k } }, { add, { 3, k } } }, { type = "counter", consistency = "QUORUM" }))
      local count = assert(pool:execute("SELECT c FROM batches.n WHERE k = ?", { k }, quorum)):first().c
      assert.is_true(count % 5 == 0 and count > 0)

      local set = "INSERT INTO batches.u (k, v) VALUES (1, 'x')"
      refused(pool, "Cannot include non-counter statement in a counter batch", { { add, { 1, 1 } }, set },
        { type = "counter" })
      refused(pool, "Cannot include a counter statement in a logged batch", { { add, { 1, 1 } } })
      refused(pool, "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.",
        { "SELECT * FROM batches.u" })
      local condition = "UPDATE batches.t SET v = 'a' WHERE k = 1 AND c = 1 IF v = 'b'"
      refused(pool, "Batch with conditions cannot span multiple partitions",
        { condition, "DELETE FROM batches.t WHERE k = 2 AND c = 1" })
      refused(pool, "Batch with conditions cannot span multiple tables", { condition, set })

      assert(pool:execute("DELETE FROM batches.t WHERE k = ?", { k + 1 }, quorum))
      local once = { { "INSERT INTO batches.t (k, c, v) VALUES (?, 1, 'a') IF NOT EXISTS", { k + 1 } },
        { insert, { k + 1, 2, "b" } } }
      assert.is_true(assert(pool:batch(once, quorum)).wasApplied)
      local second = assert(pool:batch(once, quorum))
      local row = second:first()
      assert.same({ false, k + 1, 1, "a" }, { second.wasApplied, row.k, row.c, row.v })
      pool:close()
    end)
  end

  it("survive nodes that do not know their statements", function()
    local pool = open(5)
    local batch = {}
    for i = 1, 8 do
      batch[i] = { ("INSERT INTO batches.t (k, c, v) VALUES (?, ?, 'v%d %s')"):format(i, moonpool.uuid()), { 9000, i } }
    end
    for _, host in ipairs(pool:getHosts()) do assert(pool:batch(batch, { host = host.address })) end
    assert.equal(8, #assert(pool:execute("SELECT v FROM batches.t WHERE k = 9000", nil, { consistency = "ALL" })).rows)
    pool:close()
  end)

  it("are made of writes of one turn, and only what is wrong is refused", function()
    local pool = open(5, { pooling = { enableBatching = true } })
    local insert = assert(pool:prepare("INSERT INTO batches.u (k, v) VALUES (?, ?)", { isIdempotent = true,
      consistency = "QUORUM" }))
    local short = assert(pool:prepare("INSERT INTO batches.u (k, v) VALUES (?, ?) USING TTL ?",
      { isIdempotent = true, consistency = "QUORUM" }))
    assert(pool:execute(insert, { 0, "x" }))
    moonpool.sleep(500)
    local futures = {}
    for k = 1, 200 do
      local bad = k % 20 == 0
      futures[k] = bad and pool:executeAsync(short, { k, "short", -1 }) or pool:executeAsync(insert, { k, "v" .. k })
    end
    for k = 1, 200 do
      local result, err = futures[k]:wait()
      assert.equal(k % 20 == 0 and "INVALID" or nil, err and err.code)
      assert.is_true(result ~= nil or err ~= nil)
    end
    local stats = pool:getStats()
    assert.is_true(stats.mergedBatches > 0 and stats.mergedRequests >= 200 and stats.unmergedRequests > 0)
    for k = 1, 200 do
      local row = assert(pool:execute("SELECT v FROM batches.u WHERE k = ?", { k }, { consistency = "QUORUM" })):first()
      assert.equal(k % 20 > 0 and "v" .. k or nil, row and row.v)
    end
    pool:close()
  end)
end)
