-- SPDX-License-Identifier: Apache-2.0
-- BATCH on the simulated cluster: what it stores, what it refuses and in which words.
local raw = require "spec.support.rawclient"
local raw_batch = require "spec.sim.raw_batch"

describe("BATCH on the simulated cluster", function()
  local world, conn
  before_each(function()
    world = raw.world()
    world:schema "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    world:schema "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))"
    world:schema "CREATE TABLE ks.u (k int PRIMARY KEY, v text)"
    world:schema "CREATE TABLE ks.n (k int PRIMARY KEY, c counter)"
    conn = world:connect(1)
    conn:query "USE ks"
  end)
  after_each(function() world:close() end)

  local function batch(...) return raw_batch.run(conn, ...) end

  local function values(cql)
    local out = {}
    for i, row in ipairs(conn:query(cql).rows) do out[i] = row.v or row.c end
    return out
  end

  local function refused(kind, statements, name, message, options)
    local answer = batch(kind, statements, options)
    assert.same({ name, message }, { answer.name, answer.message })
  end

  for version = 3, 5 do
    it("stores prepared and plain statements, with and without values, on v" .. version, function()
      conn = world:connect(2, { version = version })
      conn:query "USE ks"
      local insert = conn:prepare "INSERT INTO t (k, c, v) VALUES (1, ?, ?)"
      for _, kind in ipairs { "LOGGED", "UNLOGGED" } do
        local answer = batch(kind, { { insert, raw.int(1), "a" }, "INSERT INTO u (k, v) VALUES (1, 'plain')",
          { "INSERT INTO t (k, c, v) VALUES (1, ?, 'c')", raw.int(3) }, { insert, raw.int(2), "b" } })
        assert.equal("void", answer.kind)
        assert.same({ "a", "b", "c" }, values "SELECT v FROM t WHERE k = 1")
        assert.same({ "plain" }, values "SELECT v FROM u WHERE k = 1")
        conn:query "TRUNCATE t"
      end
      assert.equal("void", batch("LOGGED", {}).kind)
    end)
  end

  it("has one time, that of the request when it gives one", function()
    local insert = conn:prepare "INSERT INTO u (k, v) VALUES (?, ?)"
    batch("LOGGED", { { insert, raw.int(1), "old" },
      "INSERT INTO u (k, v) VALUES (2, 'own') USING TIMESTAMP 9" },
      { timestamp = 5 })
    local rows = conn:query("SELECT k, writetime(v) AS t FROM u").rows
    table.sort(rows, function(a, b) return a.k < b.k end)
    assert.same({ { k = 1, t = 5 }, { k = 2, t = 9 } }, rows)
    -- At one time a deletion wins, and so does the greater value, in whatever order.
    batch("UNLOGGED", { { insert, raw.int(3), "b" }, { insert, raw.int(3), "a" } })
    assert.same({ "b" }, values "SELECT v FROM u WHERE k = 3")
    batch("UNLOGGED", { "DELETE FROM u WHERE k = 3", { insert, raw.int(3), "z" } })
    assert.same({}, values "SELECT v FROM u WHERE k = 3")
  end)

  it("stores all of it or nothing", function()
    local set = "INSERT INTO u (k, v) VALUES (1, 'x')"
    local answer = batch("LOGGED", { set, "INSERT INTO none (k) VALUES (1)" })
    assert.equal("INVALID", answer.name)
    answer = batch("LOGGED", { set, "INSERT INTO u (k, v) VALUES (null, 'x')" })
    assert.equal("INVALID", answer.name)
    world:schema "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    world:schema "CREATE TABLE one.t (k int PRIMARY KEY)"
    world:kill(world:replicas("one", raw.int(7))[1])
    world:pass(3000)
    conn = world:connect(world:info(1).running and 1 or 2)
    answer = batch("UNLOGGED", { "INSERT INTO ks.u (k, v) VALUES (1, 'x')", "INSERT INTO one.t (k) VALUES (7)" })
    assert.equal("UNAVAILABLE", answer.name)
    assert.same({}, values "SELECT v FROM ks.u")
  end)

  it("adds to counters, each time", function()
    local add = conn:prepare "UPDATE n SET c = c + ? WHERE k = ?"
    for _, kind in ipairs { "COUNTER", "UNLOGGED" } do
      assert.equal("void", batch(kind, { { add, raw.bigint(1), raw.int(1) }, { add, raw.bigint(10), raw.int(1) },
        "UPDATE n SET c = c - 5 WHERE k = 2" }, { timestamp = 5 }).kind)
    end
    assert.same({ 22 }, values "SELECT c FROM n WHERE k = 1")
    assert.same({ -10 }, values "SELECT c FROM n WHERE k = 2")
  end)

  it("refuses what Cassandra refuses, in its words", function()
    local set, add = "INSERT INTO u (k, v) VALUES (1, 'x')", "UPDATE n SET c = c + 1 WHERE k = 1"
    refused("COUNTER", { add, set }, "INVALID", "Cannot include non-counter statement in a counter batch")
    refused("LOGGED", { add }, "INVALID", "Cannot include a counter statement in a logged batch")
    refused("UNLOGGED", { add, set }, "INVALID", "Counter and non-counter mutations cannot exist in the same batch")
    refused("LOGGED", { "SELECT * FROM u" }, "INVALID",
      "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
    refused("LOGGED", { { set, "one too many" } }, "INVALID", "There were 0 markers(?) in CQL but 1 bound variables")
    local answer = batch("LOGGED", { set, { { kind = "prepared", id = ("x"):rep(16) } } })
    assert.same({ "UNPREPARED", ("x"):rep(16) }, { answer.name, answer.id })
    local condition = "UPDATE t SET v = 'a' WHERE k = 1 AND c = 1 IF v = 'b'"
    refused("LOGGED", { condition, "DELETE FROM t WHERE k = 2 AND c = 1" },
      "INVALID", "Batch with conditions cannot span multiple partitions")
    refused("LOGGED", { condition, set }, "INVALID",
      "Batch with conditions cannot span multiple tables")
  end)

  it("sets all rows of a partition when all conditions hold, and shows those that were compared when not", function()
    local function once()
      return batch("LOGGED", { "INSERT INTO t (k, c, v) VALUES (1, 1, 'a') IF NOT EXISTS",
        "INSERT INTO t (k, c, v) VALUES (1, 2, 'b')" }).rows
    end
    assert.same({ { ["[applied]"] = true } }, once())
    assert.same({ "a", "b" }, values "SELECT v FROM t WHERE k = 1")
    assert.same({ { ["[applied]"] = false, k = 1, c = 1, v = "a" } }, once())
    local rows = batch("UNLOGGED", { "UPDATE t SET v = 'x' WHERE k = 1 AND c = 1 IF v = 'a'",
      "UPDATE t SET v = 'y' WHERE k = 1 AND c = 2 IF v = 'nope'", "DELETE FROM t WHERE k = 1 AND c = 9" }).rows
    assert.same({ { ["[applied]"] = false, k = 1, c = 1, v = "a" },
      { ["[applied]"] = false, k = 1, c = 2, v = "b" } }, rows)
    assert.same({ "a", "b" }, values "SELECT v FROM t WHERE k = 1")
    rows = batch("LOGGED", { "UPDATE t SET v = 'x' WHERE k = 1 AND c = 1 IF v = 'a'",
      "DELETE FROM t WHERE k = 1 AND c = 2 IF EXISTS" }).rows
    assert.same({ { ["[applied]"] = true } }, rows)
    assert.same({ "x" }, values "SELECT v FROM t WHERE k = 1")
  end)

  it("waits for slow replicas, and says of which type it was when it gives up", function()
    world:pause(2)
    world:pause(3)
    local set = "INSERT INTO u (k, v) VALUES (1, 'x')"
    local streams = {}
    for _, kind in ipairs { "LOGGED", "UNLOGGED" } do
      streams[kind] = raw_batch.start(conn, kind, { set, "INSERT INTO u (k, v) VALUES (2, 'y')" },
        { consistency = "QUORUM" })
    end
    for kind, write_type in pairs { LOGGED = "BATCH", UNLOGGED = "UNLOGGED_BATCH" } do
      local answer = conn:wait(streams[kind])
      assert.same({ "WRITE_TIMEOUT", write_type, 2, 1 },
        { answer.name, answer.write_type, answer.required, answer.received })
    end
    world:resume(2)
    world:resume(3)
    world:pass(3000)
    world:pause(2)
    world:pause(3)
    local stream = raw_batch.start(conn, "LOGGED", { set }, { consistency = "QUORUM" })
    world:pass(10)
    world:resume(3)
    assert.equal("void", conn:wait(stream).kind)
  end)

  it("reaches all replicas of all its partitions, also when the first of them is slow", function()
    world:pause(2)
    assert.equal("WRITE_TIMEOUT", conn:query("DELETE FROM u WHERE k IN (1, 2)", { consistency = "ALL" }).name)
    conn:query("INSERT INTO u (k, v) VALUES (1, 'x') USING TIMESTAMP 1")
    conn:query("INSERT INTO u (k, v) VALUES (2, 'x') USING TIMESTAMP 1")
    assert.same({}, values "SELECT v FROM u")
  end)

  it("tells which operations it brought", function()
    batch("LOGGED", { { "INSERT INTO u (k, v) VALUES (1, ?)", "op-1" },
      "INSERT INTO u (k, v) VALUES (2, 'op-2')" })
    assert.same({ 1, 1 }, { world:received "op-1" })
    assert.same({ 1, 1 }, { world:received "op-2" })
  end)

  it("may be spoilt by a rule, found by its first statement", function()
    local rule = world:rule { opcode = "BATCH", statement = "INSERT INTO u", action = "ERROR",
      error = { code = "OVERLOADED" } }
    assert.equal("OVERLOADED", batch("LOGGED", { "INSERT INTO u (k, v) VALUES (1, 'x')" }).name)
    assert.equal("void", batch("LOGGED", { "DELETE FROM u WHERE k = 1" }).kind)
    assert.equal(1, rule.hits())
  end)
end)
