-- SPDX-License-Identifier: Apache-2.0
-- What the CQL parser takes, and what it says about what it does not take.
local ffi = require "ffi"
local C = require "spec.support.c"

local function parse(cql)
  local arena, err = ffi.new "struct mp_arena", ffi.new "struct mp_sim_error"
  C.mp_arena_init(arena)
  local text = ffi.new("struct mp_str", ffi.cast("const char *", cql), #cql)
  local stmt = C.mp_sim_parse(text, arena, err)
  local kind, why = stmt ~= nil and tonumber(stmt.kind) or nil, ffi.string(err.text)
  local markers = stmt ~= nil and tonumber(stmt.marker_count)
  C.mp_arena_deinit(arena)
  return kind, why, markers
end

local good = {
  { "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", "CREATE_KEYSPACE" },
  { "create schema if not exists \"K s\" with REPLICATION = {'class':'NetworkTopologyStrategy','dc1':'3'} and " ..
    "durable_writes = false;", "CREATE_KEYSPACE" },
  { "ALTER KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}", "ALTER_KEYSPACE" },
  { "DROP KEYSPACE IF EXISTS k", "DROP_KEYSPACE" },
  { "CREATE TABLE t (a int PRIMARY KEY)", "CREATE_TABLE" },
  { "CREATE TABLE IF NOT EXISTS k.t (a int, b text, c list<int>, d set<text>, e map<text, frozen<list<int>>>, " ..
    "f frozen<map<int, set<uuid>>>, PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x' " ..
    "AND compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 0", "CREATE_TABLE" },
  { "ALTER TABLE t ADD a int, b text", "ALTER_TABLE" },
  { "ALTER TABLE t WITH comment = 'y'", "ALTER_TABLE" },
  { "DROP TABLE k.t", "DROP_TABLE" },
  { "TRUNCATE t", "TRUNCATE" },
  { "TRUNCATE TABLE k.t;", "TRUNCATE" },
  { "USE \"Mixed\"", "USE" },
  { "INSERT INTO t (a, b) VALUES (?, ?)", "INSERT", 2 },
  { "INSERT INTO k.t (a, b, c) VALUES (:a, 'it''s', [1, ?, 3]) IF NOT EXISTS USING TTL ? AND TIMESTAMP 5",
    "INSERT", 3 },
  { "INSERT INTO t (a) VALUES (-5)", "INSERT" },
  { "INSERT INTO t (a) VALUES (1.5e-10)", "INSERT" },
  { "INSERT INTO t (a) VALUES (0xCAFE)", "INSERT" },
  { "INSERT INTO t (a) VALUES (-NaN)", "INSERT" },
  { "INSERT INTO t (a) VALUES (1y2mo3w4d5h6m7s8ms9us10ns)", "INSERT" },
  { "INSERT INTO t (a) VALUES (P1Y2M3DT4H5M6S)", "INSERT" },
  { "INSERT INTO t (a) VALUES (550e8400-e29b-41d4-a716-446655440000)", "INSERT" },
  { "INSERT INTO t (a, b) VALUES ($$it's$$, {'a': {1, 2}, 'b': {}})", "INSERT" },
  { "INSERT INTO t (a, b) VALUES (toTimestamp(now()), uuid())", "INSERT" },
  { "UPDATE t SET a = 1, b = ?, l = l + [?], m = m - {'x'}, n = [0] + n, m['k'] = :v, l[2] = 3 WHERE k = 1 AND c = 2",
    "UPDATE", 3 },
  { "UPDATE t USING TTL 5 AND TIMESTAMP ? SET c = c + 1, d = d -1, s += {'x'}, s -= {'y'} WHERE k = 1", "UPDATE",
    1 },
  { "UPDATE t SET a = 1 WHERE k = 1 IF EXISTS", "UPDATE" },
  { "UPDATE t SET a = 1 WHERE k = 1 IF a = 2 AND b IN (1, ?) AND c != null", "UPDATE", 1 },
  { "DELETE FROM t WHERE k = 1", "DELETE" },
  { "DELETE a, m['x'], l[1] FROM t USING TIMESTAMP 9 WHERE k = 1 AND c >= 2 AND c < 5 IF EXISTS", "DELETE" },
  { "SELECT * FROM t", "SELECT" },
  { "SELECT a, b AS x, count, token(a, b), writetime(c), ttl(c), now(), toTimestamp(now()) AS y FROM k.t " ..
    "WHERE a = ? AND b IN (1, 2, ?) AND token(a) > -5 ORDER BY c DESC PER PARTITION LIMIT 2 LIMIT ? ALLOW FILTERING",
    "SELECT", 3 },
  { "SELECT count(*) FROM t", "SELECT" },
  { "SELECT DISTINCT a FROM t WHERE m CONTAINS 1 AND m CONTAINS KEY 'x' ALLOW FILTERING", "SELECT" },
  { "-- a comment\n SELECT /* another\n one */ key // third\n FROM system.local -- last", "SELECT" },
  { "SELECT key, user, password, type, ttl, values, timestamp FROM t", "SELECT" },
  { "CREATE TABLE t (a frob PRIMARY KEY)", "CREATE_TABLE" }, -- a user's type, for all that a parser knows
  { "CREATE TABLE t (a int PRIMARY KEY, b tuple<int, list<text>>, c frozen<ks.\"Addr\">)", "CREATE_TABLE" },
  { "CREATE TABLE t (a int PRIMARY KEY, b vector<float, 3>, c list<frozen<addr>>)", "CREATE_TABLE" },
  { "CREATE TABLE t (a int, b int, c int STATIC, PRIMARY KEY (a, b))", "CREATE_TABLE" },
  { "CREATE TYPE IF NOT EXISTS ks.x (a int, b frozen<list<frozen<y>>>)", "CREATE_TYPE" },
  { "ALTER TYPE x ADD a int", "ALTER_TYPE" },
  { "ALTER TYPE IF EXISTS x RENAME a TO b AND c TO d", "ALTER_TYPE" },
  { "DROP TYPE IF EXISTS ks.x", "DROP_TYPE" },
  { "SELECT a.b, a.b.c AS d FROM t", "SELECT" },
  { "UPDATE t SET a.b = ?, c = {x: 1, y: {z: ?}} WHERE k = 1", "UPDATE", 2 },
  { "DELETE a.b FROM t WHERE k = 1", "DELETE" },
  { "INSERT INTO t (a, b) VALUES (1, {\"X y\": (1, null), z: [?]})", "INSERT", 1 },
}

local bad = {
  { "", "line 1:0 no viable alternative at input '<EOF>'" },
  { "   \n  ", "line 2:2 no viable alternative at input '<EOF>'" },
  { "FROB x", "line 1:0 no viable alternative at input 'FROB'" },
  { "SELECT * FORM t", "line 1:9 no viable alternative at input 'FORM' (expected FROM)" },
  { "SELECT *\nFROM t\nWHERE a ==", "line 3:9 no viable alternative at input '='" },
  { "SELECT a FROM t WHERE a", "line 1:23 no viable alternative at input '<EOF>' (expected an operator)" },
  { "SELECT FROM t", "line 1:7 no viable alternative at input 'FROM' (expected a name)" },
  { "SELECT a FROM t LIMIT", "expected a value" },
  { "SELECT a FROM t; SELECT b FROM t", "mismatched input 'SELECT' expecting EOF" },
  { "SELECT median(a) FROM t", "line 1:7 unknown function 'median'" },
  { "SELECT JSON * FROM t", "SELECT JSON is not supported" },
  { "SELECT CAST(a AS text) FROM t", "CAST is not supported" },
  { "SELECT a FROM t WHERE (a, b) = (1, 2)", "relations on several columns" },
  { "INSERT INTO t (a, b) VALUES (1)", "Unmatched column names/values" },
  { "INSERT INTO t (a) VALUES (1, 2)", "Unmatched column names/values" },
  { "INSERT INTO t (a) VALUES ('no end)", "line 1:26 the string has no end" },
  { "INSERT INTO t (a) VALUES (\"x)", "the quoted name has no end" },
  { "INSERT INTO t JSON '{}'", "INSERT JSON is not supported" },
  { "INSERT INTO t (a) VALUES (#)", "line 1:26 no viable alternative at character '#'" },
  { "INSERT INTO t (a) VALUES ({1: 2, 3})", "expected ':'" },
  { "UPDATE t SET a = b + 1 WHERE k = 1", "Only expressions of the form X = X + <value> are supported" },
  { "UPDATE t SET a = 1 + b WHERE k = 1", "Only expressions of the form X = <value> + X are supported" },
  { "UPDATE t SET a = 1", "expected WHERE" },
  { "UPDATE t SET a = 1 WHERE k IN 5", "expected ( values ) behind IN" },
  { "DELETE FROM t USING TTL 5 WHERE k = 1", "DELETE takes no TTL" },
  { "CREATE TABLE t (a int PRIMARY KEY, b 'org.apache.Foo')", "custom type 'org.apache.Foo' is not supported" },
  { "CREATE TABLE t (a int PRIMARY KEY, b list<list<int>>)", "Non-frozen collections are not allowed inside" },
  { "CREATE TABLE t (a int PRIMARY KEY, b list<addr>)", "line 1:42 Non-frozen UDTs are not allowed inside" },
  { "CREATE TABLE t (a int PRIMARY KEY, b vector<float>)", "expected ','" },
  { "CREATE TABLE t (a int PRIMARY KEY, b vector<float, x>)", "expected the number of elements of a vector" },
  { "CREATE TABLE t (a int PRIMARY KEY, b map<int>)", "expected ','" },
  { "CREATE TABLE t (a int PRIMARY KEY, b tuple<>)", "expected a name" },
  { "CREATE TABLE t (a int PRIMARY KEY, b " .. ("frozen<"):rep(40), "nested too deeply" },
  { "CREATE TYPE x ()", "expected a name" },
  { "CREATE TYPE x (a int", "expected ')'" },
  { "ALTER TYPE x DROP a", "expected ADD" },
  { "ALTER TYPE x RENAME a b", "expected TO" },
  { "SELECT a. FROM t", "expected a name" },
  { "UPDATE t SET a.b += 1 WHERE k = 1", "expected '='" },
  { "CREATE MATERIALIZED VIEW v AS SELECT * FROM t", "CREATE MATERIALIZED is not supported" },
  { "ALTER TABLE t DROP a", "ALTER TABLE ... DROP is not supported" },
  { "BEGIN BATCH INSERT INTO t (a) VALUES (1) APPLY BATCH", "line 1:0 BATCH is not supported" },
  { "EXPLAIN SELECT a FROM t", "no viable alternative at input 'EXPLAIN'" },
  { "SELECT table FROM t", "no viable alternative at input 'table' (expected a name)" },
}

describe("the simulated node's CQL", function()
  for _, case in ipairs(good) do
    it("takes " .. case[1]:gsub("\n", " "):sub(1, 90), function()
      local kind, why, markers = parse(case[1])
      assert.equal(tonumber(C["MP_SIM_" .. case[2]]), kind, why)
      assert.equal(case[3] or 0, markers)
    end)
  end

  for _, case in ipairs(bad) do
    it("refuses " .. case[1]:gsub("\n", " "):sub(1, 90), function()
      local kind, why = parse(case[1])
      assert.is_nil(kind)
      assert.is_truthy(why:find(case[2], 1, true), why)
    end)
  end

  it("refuses what is nested too deeply instead of descending for ever", function()
    assert.is_nil((parse("INSERT INTO t (a) VALUES (" .. ("["):rep(5000))))
    assert.is_nil((parse("INSERT INTO t (a) VALUES (" .. ("f("):rep(5000))))
    assert.is_nil((parse("CREATE TABLE t (a " .. ("frozen<list<"):rep(5000))))
  end)

  it("survives every prefix and every one-byte change of its statements", function()
    for _, case in ipairs(good) do
      for i = 1, #case[1] do
        parse(case[1]:sub(1, i))
        parse(case[1]:sub(1, i - 1) .. string.char((i * 37) % 256) .. case[1]:sub(i + 1))
      end
    end
  end)
end)
