-- SPDX-License-Identifier: Apache-2.0
-- What statements do to data: types, collections, counters, time stamps, deletions, ranges.
local C = require "spec.support.c"
local raw = require "spec.support.rawclient"

describe("the simulated cluster's data", function()
  local world, conn
  before_each(function()
    world = raw.world()
    world:schema "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    conn = world:connect(1)
    conn:query "USE ks"
  end)
  after_each(function() world:close() end)

  local function run(cql, options)
    local answer = conn:query(cql, options)
    assert.not_equal("error", answer.kind, cql .. ": " .. tostring(answer.message))
    return answer
  end
  local function rows(cql, options) return run(cql, options).rows end
  local function list(cql, column)
    local out = {}
    for i, row in ipairs(rows(cql)) do out[i] = row[column] end
    return out
  end

  local hex = function(bytes) return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end)) end

  local literals = {
    { "ascii", "'abc'", "616263" }, { "text", "'\195\164'", "c3a4" }, { "bigint", "-2", "fffffffffffffffe" },
    { "blob", "0xCAFE", "cafe" }, { "boolean", "true", "01" }, { "decimal", "-1.50", "00000002ff6a" },
    { "double", "1.5", "3ff8000000000000" }, { "float", "-Infinity", "ff800000" }, { "int", "7", "00000007" },
    { "smallint", "-1", "ffff" }, { "tinyint", "127", "7f" }, { "varint", "128", "0080" },
    { "inet", "'127.0.0.1'", "7f000001" }, { "inet", "'::1'", ("00"):rep(15) .. "01" },
    { "uuid", "550e8400-e29b-41d4-a716-446655440000", "550e8400e29b41d4a716446655440000" },
    { "timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "50554d6e29bb11e5b345feff819cdc9f" },
    { "date", "'1970-01-02'", "80000001" }, { "time", "'00:00:01.5'", "0000000059682f00" },
    { "timestamp", "'1970-01-01T00:00:01.002Z'", "00000000000003ea" },
    { "timestamp", "'1970-01-01 01:00+0100'", "0000000000000000" }, { "timestamp", "1002", "00000000000003ea" },
    { "duration", "1mo2d3ns", "020406" }, { "duration", "PT1H", "0000fc068c61714000" },
    { "frozen<list<int>>", "[1, 2]", "00000002000000040000000100000004" .. "00000002" },
    { "frozen<set<int>>", "{2, 1, 2}", "00000002000000040000000100000004" .. "00000002" },
    { "frozen<map<text, int>>", "{'b': 2, 'a': 1}",
      "00000002" .. "0000000161" .. "0000000400000001" .. "0000000162" .. "0000000400000002" },
  }

  it("turns the literals of every type into the protocol's bytes", function()
    for i, case in ipairs(literals) do
      run(string.format("CREATE TABLE t%d (k int PRIMARY KEY, v %s)", i, case[1]))
      run(string.format("INSERT INTO t%d (k, v) VALUES (1, %s)", i, case[2]))
      local prepared = conn:prepare(string.format("SELECT v FROM t%d WHERE k = 1", i))
      local value = conn:execute(prepared, {}, { skip = true })
      conn.decoding = {}
      local answer = conn:query(string.format("SELECT v FROM t%d WHERE k = 1", i))
      assert.equal(1, #value.rows)
      local got = answer.rows[1].v
      if type(got) == "string" then assert.equal(case[3], hex(got), case[1] .. " " .. case[2]) end
      -- The same bytes as a bound value are taken, and nonsense is not.
      local bytes = case[3]:gsub("..", function(two) return string.char(tonumber(two, 16)) end)
      run(string.format("INSERT INTO t%d (k, v) VALUES (2, ?)", i), { values = { bytes } })
      assert.same(got, rows(string.format("SELECT v FROM t%d WHERE k = 2", i))[1].v, case[1])
    end
  end)

  it("refuses values that do not fit their type", function()
    for _, case in ipairs {
      { "int", "\1\2\3" }, { "bigint", "\1" }, { "uuid", "abc" }, { "text", "\255\254" }, { "ascii", "\200" },
      { "timeuuid", ("\0"):rep(16) }, { "boolean", "\1\1" }, { "inet", "abc" },
      { "frozen<list<int>>", "\0\0\0\9" }, { "frozen<list<int>>", "\0\0\0\1\0\0\0\1\1" },
    } do
      run("CREATE TABLE IF NOT EXISTS bad (k int PRIMARY KEY, v " .. case[1] .. ")")
      local answer = conn:query("INSERT INTO bad (k, v) VALUES (1, ?)", { values = { case[2] } })
      assert.equal("INVALID", answer.name, case[1])
      run "DROP TABLE bad"
    end
    run "CREATE TABLE t (k int PRIMARY KEY, i int, d date)"
    for _, value in ipairs { "3000000000", "1.5", "'x'", "true", "[1]", "null" } do
      assert.equal(value == "null" and "void" or "error",
        conn:query("INSERT INTO t (k, i) VALUES (1, " .. value .. ")").kind, value)
    end
    assert.equal("error", conn:query("INSERT INTO t (k, d) VALUES (1, '2024-13-01')").kind)
    assert.equal("error", conn:query("INSERT INTO t (k) VALUES (null)").kind)
  end)

  it("appends to, prepends to, changes and removes from lists", function()
    run "CREATE TABLE t (k int PRIMARY KEY, l list<int>)"
    run "UPDATE t SET l = l + [1, 2] WHERE k = 1"
    run "UPDATE t SET l = l + [3] WHERE k = 1"
    run "UPDATE t SET l = [-1, 0] + l WHERE k = 1"
    assert.same({ -1, 0, 1, 2, 3 }, rows("SELECT l FROM t")[1].l)
    run "UPDATE t SET l[2] = 11 WHERE k = 1"
    run "DELETE l[0] FROM t WHERE k = 1"
    run "UPDATE t SET l = l - [2, 99] WHERE k = 1"
    assert.same({ 0, 11, 3 }, rows("SELECT l FROM t")[1].l)
    assert.matches("out of bound", conn:query("UPDATE t SET l[7] = 1 WHERE k = 1").message)
    run "UPDATE t SET l = [5] WHERE k = 1"
    assert.same({ 5 }, rows("SELECT l FROM t")[1].l)
    run "UPDATE t SET l = [] WHERE k = 1"
    assert.equal(0, #rows "SELECT l FROM t")
  end)

  it("stays as small as its data when collections are written anew for ever", function()
    run "CREATE TABLE t (k int PRIMARY KEY, l list<int>, m map<int, int>)"
    local function write(times)
      for i = 1, times do
        run(string.format("INSERT INTO t (k, l, m) VALUES (1, [%d, 2, 3], {%d: 1})", i, i))
      end
      return tonumber(C.mp_mem_stats().allocs - C.mp_mem_stats().frees)
    end
    local before = write(20)
    local after = write(500)
    assert.same({ 500, 2, 3 }, rows("SELECT l FROM t WHERE k = 1")[1].l)
    assert.is_true(after - before < 50, (after - before) .. " more pieces of memory")
  end)

  it("keeps sets and maps in order and changes their entries one by one", function()
    run "CREATE TABLE t (k int PRIMARY KEY, s set<int>, m map<text, int>)"
    run "INSERT INTO t (k, s, m) VALUES (1, {3, 1}, {'b': 2})"
    run "UPDATE t SET s = s + {2, 3}, m['a'] = 1, m = m + {'c': 3} WHERE k = 1"
    assert.same({ k = 1, s = { 1, 2, 3 }, m = { "a", 1, "b", 2, "c", 3 } }, rows("SELECT * FROM t")[1])
    run "UPDATE t SET s = s - {1}, m = m - {'b'} WHERE k = 1"
    run "DELETE m['c'] FROM t WHERE k = 1"
    assert.same({ k = 1, s = { 2, 3 }, m = { "a", 1 } }, rows("SELECT * FROM t")[1])
    run("UPDATE t SET m = m - ? WHERE k = 1", { values = { raw.collection { "a" } } })
    assert.is_nil(rows("SELECT * FROM t")[1].m)
    assert.equal(1, #rows "SELECT k FROM t WHERE s CONTAINS 2 ALLOW FILTERING")
    assert.equal(0, #rows "SELECT k FROM t WHERE s CONTAINS 9 ALLOW FILTERING")
  end)

  it("counts", function()
    run "CREATE TABLE t (k int PRIMARY KEY, a counter, b counter)"
    for node = 1, 3 do
      local other = world:connect(node)
      assert.equal("void", other:query("UPDATE ks.t SET a = a + 5, b = b - 1 WHERE k = 1").kind)
    end
    assert.same({ k = 1, a = 15, b = -3 }, rows("SELECT * FROM t")[1])
    assert.equal("error", conn:query("INSERT INTO t (k, a) VALUES (1, 1)").kind)
    assert.equal("error", conn:query("UPDATE t SET a = 1 WHERE k = 1").kind)
    assert.equal("error", conn:query("CREATE TABLE u (k int PRIMARY KEY, a counter, b int)").kind)
  end)

  it("lets the newest time win, whatever comes last", function()
    run "CREATE TABLE t (k int PRIMARY KEY, a int, b int)"
    run "INSERT INTO t (k, a, b) VALUES (1, 1, 1) USING TIMESTAMP 1000"
    run "UPDATE t USING TIMESTAMP 900 SET a = 0 WHERE k = 1"
    run("UPDATE t SET b = 2 WHERE k = 1", { timestamp = 1100 })
    local least = -0x7fffffffffffffffLL - 1
    local refused = conn:query("UPDATE t SET b = 3 WHERE k = 1", { timestamp = least })
    assert.same({ "error", 0x0a }, { refused.kind, refused.code })
    assert.matches("^Out of bound timestamp", refused.message)
    assert.same({ k = 1, a = 1, b = 2, ["writetime(b)"] = 1100 }, rows("SELECT k, a, b, writetime(b) FROM t")[1])
    run "DELETE FROM t USING TIMESTAMP 1050 WHERE k = 1"
    assert.same({ k = 1, b = 2 }, rows("SELECT * FROM t")[1])
    run "INSERT INTO t (k, a) VALUES (1, 9) USING TIMESTAMP 1049"
    assert.same({ k = 1, b = 2 }, rows("SELECT * FROM t")[1])
    run "DELETE b FROM t USING TIMESTAMP 1100 WHERE k = 1"
    assert.equal(0, #rows "SELECT * FROM t")
  end)

  it("keeps a row that was inserted without values, and not one that lost its last value", function()
    run "CREATE TABLE t (k int PRIMARY KEY, a int)"
    run "INSERT INTO t (k) VALUES (1)"
    run "UPDATE t SET a = 1 WHERE k = 2"
    assert.equal(2, #rows "SELECT * FROM t")
    run "UPDATE t SET a = null WHERE k = 1"
    run "UPDATE t SET a = null WHERE k = 2"
    assert.same({ 1 }, list("SELECT k FROM t", "k"))
  end)

  it("lets values expire", function()
    run "CREATE TABLE t (k int PRIMARY KEY, a int, b int)"
    run "INSERT INTO t (k, a) VALUES (1, 1) USING TTL 10"
    run "UPDATE t SET b = 2 WHERE k = 1"
    assert.equal(10, rows("SELECT ttl(a) FROM t")[1]["ttl(a)"])
    world:pass(9000)
    assert.same({ k = 1, a = 1, b = 2 }, rows("SELECT * FROM t")[1])
    world:pass(2000)
    assert.same({ k = 1, b = 2 }, rows("SELECT * FROM t")[1])
  end)

  it("leaves alone what is not set", function()
    run "CREATE TABLE t (k int PRIMARY KEY, a int)"
    run "INSERT INTO t (k, a) VALUES (1, 1)"
    run("INSERT INTO t (k, a) VALUES (1, ?)", { values = { raw.unset } })
    assert.same({ k = 1, a = 1 }, rows("SELECT * FROM t")[1])
    run("INSERT INTO t (k, a) VALUES (1, ?)", { values = {}, count = 1 })
    assert.same({ k = 1 }, rows("SELECT * FROM t")[1])
  end)

  it("takes not set for null before v4", function()
    run "CREATE TABLE t (k int PRIMARY KEY, a int)"
    run "INSERT INTO t (k, a) VALUES (1, 1)"
    local old = world:connect(1, { version = 3 })
    old:query("INSERT INTO ks.t (k, a) VALUES (1, ?)", { values = { raw.unset } })
    assert.same({ k = 1 }, rows("SELECT * FROM t")[1])
  end)

  describe("by clustering key", function()
    before_each(function()
      run "CREATE TABLE t (k int, a int, b text, v int, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (a DESC, b ASC)"
      for a = 1, 5 do
        for _, b in ipairs { "x", "y" } do
          run(string.format("INSERT INTO t (k, a, b, v) VALUES (1, %d, '%s', %d)", a, b, a))
        end
      end
    end)

    it("is in order, forwards and backwards", function()
      assert.same({ 5, 5, 4, 4, 3, 3, 2, 2, 1, 1 }, list("SELECT a FROM t WHERE k = 1", "a"))
      assert.same({ 1, 1, 2 }, list("SELECT a FROM t WHERE k = 1 ORDER BY a ASC LIMIT 3", "a"))
      assert.same({ "y", "x" }, list("SELECT b FROM t WHERE k = 1 AND a = 2 ORDER BY b DESC", "b"))
      assert.equal("error", conn:query("SELECT * FROM t ORDER BY a").kind)
      assert.equal("error", conn:query("SELECT * FROM t WHERE k = 1 ORDER BY a ASC, b ASC").kind)
    end)

    it("is found by range", function()
      assert.same({ 3, 3, 2, 2 }, list("SELECT a FROM t WHERE k = 1 AND a > 1 AND a <= 3", "a"))
      assert.same({ 5, 5 }, list("SELECT a FROM t WHERE k = 1 AND a >= 5", "a"))
      assert.same({ "y" }, list("SELECT b FROM t WHERE k = 1 AND a = 4 AND b > 'x'", "b"))
      assert.same({ 4, 4, 2, 2 }, list("SELECT a FROM t WHERE k = 1 AND a IN (2, 4, 9)", "a"))
      assert.same({ 1, 1 }, list("SELECT a FROM t WHERE v = 1 ALLOW FILTERING", "a"))
      assert.equal(0, #rows "SELECT a FROM t WHERE k = 1 AND a > 3 AND a < 3")
    end)

    it("is deleted by row, prefix, range and partition", function()
      run "DELETE FROM t WHERE k = 1 AND a = 5 AND b = 'x'"
      run "DELETE FROM t WHERE k = 1 AND a = 4"
      run "DELETE FROM t WHERE k = 1 AND a < 3 AND a >= 2"
      run "DELETE v FROM t WHERE k = 1 AND a = 1 AND b = 'x'"
      assert.same({ 5, 3, 3, 1, 1 }, list("SELECT a FROM t WHERE k = 1", "a"))
      assert.is_nil(rows("SELECT v FROM t WHERE k = 1 AND a = 1 AND b = 'x'")[1].v)
      run "INSERT INTO t (k, a, b, v) VALUES (1, 4, 'z', 4)"
      assert.same({ 5, 4, 3, 3, 1, 1 }, list("SELECT a FROM t WHERE k = 1", "a"))
      run "DELETE FROM t WHERE k = 1"
      assert.equal(0, #rows "SELECT * FROM t")
    end)

    it("is limited, also in each partition", function()
      for k = 2, 4 do run("INSERT INTO t (k, a, b) VALUES (" .. k .. ", 1, 'x')") end
      assert.equal(4, #rows "SELECT k FROM t PER PARTITION LIMIT 1")
      assert.equal(4, #rows "SELECT DISTINCT k FROM t")
      assert.equal(2, #rows "SELECT k FROM t PER PARTITION LIMIT 1 LIMIT 2")
      assert.equal(13, rows("SELECT count(*) FROM t")[1].count)
      assert.equal("error", conn:query("SELECT * FROM t LIMIT 0").kind)
    end)
  end)

  it("is scanned in the order of tokens, and by ranges of them", function()
    run "CREATE TABLE t (k int PRIMARY KEY)"
    for k = 1, 40 do run("INSERT INTO t (k) VALUES (" .. k .. ")") end
    local all = rows "SELECT k, token(k) AS place FROM t"
    assert.equal(40, #all)
    for i = 2, 40 do assert.is_true(all[i - 1].place < all[i].place) end
    local count = 0
    for _, range in ipairs { "token(k) <= 0", "token(k) > 0 AND token(k) <= 5000000000000000000",
      "token(k) > 5000000000000000000" } do
      count = count + #rows("SELECT k FROM t WHERE " .. range)
    end
    assert.equal(40, count)
    assert.same({ 3, 7 }, list("SELECT k FROM t WHERE k IN (7, 3, 7, 99)", "k"))
  end)

  it("has composite partition keys", function()
    run "CREATE TABLE t (a int, b text, c int, v int, PRIMARY KEY ((a, b), c))"
    run "INSERT INTO t (a, b, c, v) VALUES (1, 'x', 1, 1)"
    run "INSERT INTO t (a, b, c, v) VALUES (1, 'xy', 1, 2)"
    assert.same({ { a = 1, b = "xy", c = 1, v = 2 } }, rows "SELECT * FROM t WHERE a = 1 AND b = 'xy'")
    assert.equal("error", conn:query("SELECT * FROM t WHERE a = 1").kind)
    assert.equal(2, #rows "SELECT * FROM t WHERE a = 1 AND b IN ('x', 'xy')")
    local prepared = conn:prepare "SELECT v FROM t WHERE b = ? AND a = ?"
    assert.same({ 1, 0 }, prepared.pk)
  end)

  it("is gone after TRUNCATE, DROP TABLE and DROP KEYSPACE", function()
    run "CREATE TABLE t (k int PRIMARY KEY)"
    run "INSERT INTO t (k) VALUES (1)"
    run "TRUNCATE t"
    assert.equal(0, #rows "SELECT * FROM t")
    run "INSERT INTO t (k) VALUES (1)"
    run "DROP TABLE t"
    run "CREATE TABLE t (k int PRIMARY KEY)"
    assert.equal(0, #rows "SELECT * FROM t")
    run "DROP KEYSPACE ks"
    assert.equal("error", conn:query("SELECT * FROM t").kind)
  end)

  it("tells its schema in the system tables", function()
    run("CREATE TABLE t (k int, c text, m map<text, frozen<list<int>>>, PRIMARY KEY (k, c)) " ..
      "WITH CLUSTERING ORDER BY (c DESC)")
    local columns = {}
    for _, row in ipairs(rows "SELECT * FROM system_schema.columns WHERE keyspace_name = 'ks' AND table_name = 't'") do
      columns[row.column_name] = { row.kind, row.position, row.clustering_order, row.type }
    end
    assert.same({
      k = { "partition_key", 0, "none", "int" }, c = { "clustering", 0, "desc", "text" },
      m = { "regular", -1, "none", "map<text, frozen<list<int>>>" },
    }, columns)
    local keyspace = rows("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'ks'")[1]
    assert.same({ "class", "org.apache.cassandra.locator.SimpleStrategy", "replication_factor", "3" },
      keyspace.replication)
    local before = rows("SELECT schema_version FROM system.local")[1].schema_version
    run "ALTER TABLE t ADD x int"
    assert.not_equal(before, rows("SELECT schema_version FROM system.local")[1].schema_version)
    local peers = rows "SELECT schema_version FROM system.peers"
    assert.equal(rows("SELECT schema_version FROM system.local")[1].schema_version, peers[1].schema_version)
  end)
end)
