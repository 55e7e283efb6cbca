-- SPDX-License-Identifier: Apache-2.0
-- Users' types, tuples and vectors of the simulated Cassandra, asked in CQL text and with bound values.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local function refused(pool, cql, why, parameters)
  local result, err = pool:execute(cql, parameters)
  assert.is_nil(result, cql)
  assert.matches(why, err.message, 1, true)
end

local function all(pool, cql, ...) return assert(pool:execute(cql, ...)).rows end

describe("a user's type of the simulated cluster", function()
  it_in("is stored and read by literals and by bound values", function(world)
    world:schema "CREATE TYPE ks.addr (street text, zip int, tags frozen<set<text>>)"
    world:schema "CREATE TYPE ks.\"Person\" (name text, home frozen<addr>)"
    world:schema [[CREATE TABLE ks.t (k int PRIMARY KEY, a addr, f frozen<addr>, p "Person", l list<frozen<ks.addr>>,
      m map<text, frozen<"Person">>)]]
    local pool = world:pool()
    assert(pool:execute [[INSERT INTO t (k, a, f, p, l, m) VALUES (1, {street: 'a', zip: 5}, {zip: 6, tags: {'y', 'x'}},
      {name: 'ana', home: {street: 's'}}, [{zip: 1}, {street: null}], {'one': {name: 'bob'}})]])
    local row = all(pool, "SELECT * FROM t")[1]
    assert.same({ k = 1, a = { street = "a", zip = 5 }, f = { zip = 6, tags = { "x", "y" } },
      p = { name = "ana", home = { street = "s" } }, l = { { zip = 1 }, {} }, m = { one = { name = "bob" } } }, row)
    row.k = 2
    local insert = assert(pool:prepare "INSERT INTO t (k, a, f, p, l, m) VALUES (?, ?, ?, ?, ?, ?)")
    assert.same({ "int", "addr", "addr", '"Person"', "list<frozen<addr>>", 'map<text, frozen<"Person">>' },
      (function()
        local types = {}
        for i, parameter in ipairs(insert.parameters) do types[i] = parameter.type end
        return types
      end)())
    assert(pool:execute(insert, row))
    assert.same(row, all(pool, "SELECT * FROM t WHERE k = 2")[1])
    assert.same({ { ["a.street"] = "a", ["p.home.street"] = "s", z = 6 } },
      all(pool, "SELECT a.street, p.home.street, f.zip AS z FROM t WHERE k = 1"))
    assert.same({ {} }, all(pool, "SELECT f.street FROM t WHERE k = 1"))
    assert(pool:execute("INSERT INTO t (k, a, f) VALUES (3, {street: ?, zip: 9}, {zip: :z})", { street = "b",
      ["a.street"] = "b", z = 4 }))
    assert.same({ k = 3, a = { street = "b", zip = 9 }, f = { zip = 4 } }, all(pool,
      "SELECT k, a, f FROM t WHERE k = 3")[1])
  end)

  it_in("that is not frozen is changed field by field, and is null without any", function(world)
    world:schema "CREATE TYPE ks.addr (street text, zip int)"
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, a addr, f frozen<addr>)"
    local pool = world:pool()
    assert(pool:execute "UPDATE t SET a.zip = 5, f = {zip: 1} WHERE k = 1")
    assert(pool:execute("UPDATE t SET a.street = ? WHERE k = ?", { "s", 1 }))
    assert.same({ { k = 1, a = { street = "s", zip = 5 }, f = { zip = 1 } } }, all(pool, "SELECT * FROM t"))
    assert(pool:execute "DELETE a.zip FROM t WHERE k = 1")
    assert.same({ street = "s" }, all(pool, "SELECT a FROM t")[1].a)
    assert(pool:execute "UPDATE t SET a = {zip: 7} WHERE k = 1")
    assert.same({ zip = 7 }, all(pool, "SELECT a FROM t")[1].a)
    assert(pool:execute "UPDATE t SET a.zip = null WHERE k = 1")
    assert.is_nil(all(pool, "SELECT a FROM t")[1].a)
    assert(pool:execute("UPDATE t SET f = ? WHERE k = 1", { {} }))
    assert.same({}, all(pool, "SELECT f FROM t")[1].f)
    refused(pool, "UPDATE t SET f.zip = 1 WHERE k = 1", "frozen UDT column f")
    refused(pool, "UPDATE t SET a.zap = 1 WHERE k = 1", "does not have a field named zap")
    refused(pool, "UPDATE t SET k.zap = 1 WHERE k = 1", "PRIMARY KEY part k")
    refused(pool, "INSERT INTO t (k, a) VALUES (1, {zap: 1})", "Unknown field 'zap' in value of user defined type addr")
    refused(pool, "INSERT INTO t (k, a) VALUES (1, {'zip': 1})", "Invalid map literal for a")
    refused(pool, "INSERT INTO t (k, a) VALUES (1, [1])", "Invalid list literal for a")
    refused(pool, "INSERT INTO t (k, a) VALUES (1, {})", "Invalid set literal for a")
    refused(pool, "SELECT a.zap FROM t", "has no field zap")
    refused(pool, "SELECT k.zap FROM t", "is not a user type")
  end)

  it_in("grows, and statements learn of it", function(world)
    world:schema "CREATE TYPE ks.addr (street text)"
    world:schema "CREATE TYPE ks.b_holder (a frozen<addr>)"
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, a frozen<addr>, b b_holder)"
    for version = 3, 5 do
      local pool = world:pool { protocolVersion = version }
      local field = "zip" .. version
      local insert = assert(pool:prepare "INSERT INTO t (k, a, b) VALUES (?, ?, ?)")
      local select = assert(pool:prepare "SELECT a, b FROM t WHERE k = ?")
      assert(pool:execute(insert, { version, { street = "s" }, { a = { street = "t" } } }))
      assert.same({ a = { street = "s" }, b = { a = { street = "t" } } }, all(pool, select, { version })[1])
      world:schema("ALTER TYPE ks.addr ADD " .. field .. " int")
      assert.same({ a = { street = "s" }, b = { a = { street = "t" } } }, all(pool, select, { version })[1])
      local stored, err
      for _ = 1, 3 do -- one of them learns
        stored, err = pool:execute(insert, { version, { [field] = 1 }, { a = { [field] = 2 } } })
        if stored then break end
        assert.is_true(err.code == "STATEMENT_CHANGED" or err.code == "TYPE_MISMATCH", tostring(err))
      end
      assert(stored, err)
      assert.same({ a = { [field] = 1 }, b = { a = { [field] = 2 } } }, all(pool, select, { version })[1])
      pool:close()
    end
    world:schema "ALTER TYPE ks.addr RENAME street TO road AND zip3 TO post"
    local pool = world:pool()
    assert(pool:execute "INSERT INTO t (k, a) VALUES (9, {road: 'r', post: 1})")
    assert.same({ road = "r", post = 1 }, all(pool, "SELECT a FROM t WHERE k = 9")[1].a)
    assert.same({ { type_name = "addr", field_names = { "road", "post", "zip4", "zip5" },
      field_types = { "text", "int", "int", "int" } }, { type_name = "b_holder", field_names = { "a" },
      field_types = { "frozen<addr>" } } }, all(pool,
      "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = 'ks'"))
  end)

  it_in("is told by events, and dropped when nobody uses it", function(world)
    local pool = world:pool()
    local told = {}
    pool:on("schemaChange", function(change)
      if change.target == "TYPE" then told[#told + 1] = change.change .. " " .. change.name end
    end)
    assert(pool:execute "CREATE TYPE addr (street text)")
    assert(pool:execute "CREATE TYPE IF NOT EXISTS addr (street text)")
    assert(pool:execute "CREATE TYPE other (a frozen<addr>)")
    assert(pool:execute "CREATE TABLE t (k int PRIMARY KEY, a list<frozen<addr>>)")
    refused(pool, "DROP TYPE addr", "still used by user types other")
    assert(pool:execute "DROP TYPE other")
    refused(pool, "DROP TYPE addr", "still used by tables t")
    assert(pool:execute "DROP TABLE t")
    assert(pool:execute "DROP TYPE addr")
    assert(pool:execute "DROP TYPE IF EXISTS addr")
    refused(pool, "DROP TYPE addr", "Type 'ks.addr' doesn't exist")
    refused(pool, "ALTER TYPE addr ADD x int", "Type 'ks.addr' doesn't exist")
    refused(pool, "CREATE TYPE nowhere.addr (a int)", "Keyspace 'nowhere' doesn't exist")
    refused(pool, "CREATE TABLE t (k int PRIMARY KEY, a addr)", "Unknown type")
    refused(pool, "CREATE TABLE t (k int PRIMARY KEY, a list<addr>)", "Non-frozen UDTs are not allowed")
    assert(pool:execute "CREATE TYPE addr (street text)")
    refused(pool, "CREATE TYPE addr (street text)", "already exists")
    refused(pool, "CREATE TYPE twice (a int, a int)", "a field with name a already exists")
    refused(pool, "CREATE TYPE holder (a addr)", "A user type cannot contain non-frozen UDTs")
    refused(pool, "CREATE TYPE counts (a counter)", "cannot contain counters")
    assert(pool:execute "CREATE TYPE holder (a frozen<addr>)")
    refused(pool, "ALTER TYPE addr ADD h frozen<holder>", "circular reference")
    refused(pool, "ALTER TYPE addr RENAME nobody TO x", "nobody")
    refused(pool, "ALTER TYPE addr ADD street int", "already exists")
  end)
end)

describe("a tuple of the simulated cluster", function()
  it_in("is stored, read and compared part by part", function(world)
    world:schema [[CREATE TABLE ks.t (k int, c frozen<tuple<int, text>>, v tuple<int, frozen<list<int>>, text>,
      PRIMARY KEY (k, c))]]
    local pool = world:pool()
    assert(pool:execute "INSERT INTO t (k, c, v) VALUES (1, (2, 'b'), (7, [1, 2], 'x'))")
    assert(pool:execute("INSERT INTO t (k, c, v) VALUES (1, ?, (?, [?], null))", { { 1, "z" }, 8, 9 }))
    assert(pool:execute("INSERT INTO t (k, c, v) VALUES (1, (2, null), ?)", { { 1, moonpool.null, "y" } }))
    assert(pool:execute "INSERT INTO t (k, c, v) VALUES (1, (3, 'c'), (5))")
    assert.same({ { c = { 1, "z" }, v = { 8, { 9 }, moonpool.null } }, { c = { 2, moonpool.null },
      v = { 1, moonpool.null, "y" } }, { c = { 2, "b" }, v = { 7, { 1, 2 }, "x" } }, { c = { 3, "c" },
      v = { 5, moonpool.null, moonpool.null } } }, all(pool, "SELECT c, v FROM t WHERE k = 1"))
    assert.same({ { c = { 2, "b" } }, { c = { 3, "c" } } }, all(pool, "SELECT c FROM t WHERE k = 1 AND c > (2, 'a')"))
    assert.equal("tuple<int, frozen<list<int>>, text>", assert(pool:execute "SELECT v FROM t").columns[1].type)
    assert.same({ { type = "frozen<tuple<int, frozen<list<int>>, text>>" } }, all(pool, [[SELECT type FROM
      system_schema.columns WHERE keyspace_name = 'ks' AND table_name = 't' AND column_name = 'v']]))
    refused(pool, "INSERT INTO t (k, c) VALUES (1, (1, 'a', 2))", "too many elements")
    refused(pool, "INSERT INTO t (k, c) VALUES (1, [1, 'a'])", "Invalid list literal for c")
  end)
end)

describe("a vector of the simulated cluster", function()
  it_in("is stored and read, of floats and of any other type", function(world)
    world:schema [[CREATE TABLE ks.t (k int PRIMARY KEY, f vector<float, 3>, s vector<text, 2>,
      l list<frozen<vector<int, 2>>>, n vector<vector<smallint, 1>, 2>, p vector<frozen<list<int>>, 1>)]]
    for version = 3, 5 do
      local pool = world:pool { protocolVersion = version }
      assert(pool:execute("INSERT INTO t (k, f, s, l, n, p) " ..
        "VALUES (1, [1, -0.5, 2], ['', 'ü'], [[1, 2]], [[1], [2]], [[3]])"))
      local row = all(pool, "SELECT * FROM t WHERE k = 1")[1]
      assert.same({ k = 1, f = { 1, -0.5, 2 }, s = { "", "ü" }, l = { { 1, 2 } }, n = { { 1 }, { 2 } }, p = { { 3 } } },
        row)
      row.k = 2
      assert(pool:execute("INSERT INTO t (k, f, s, l, n, p) VALUES (?, ?, ?, ?, ?, ?)", row))
      assert.same(row, all(pool, "SELECT * FROM t WHERE k = 2")[1])
      assert(pool:execute("INSERT INTO t (k, f) VALUES (3, [?, ?, ?])", { 1, 2, 3 }))
      assert.same({ 1, 2, 3 }, all(pool, "SELECT f FROM t WHERE k = 3")[1].f)
      local types = {}
      for i, column in ipairs(assert(pool:execute "SELECT f, s, l, n, p FROM t").columns) do types[i] = column.type end
      assert.same({ "vector<float, 3>", "vector<text, 2>", "list<vector<int, 2>>", "vector<vector<smallint, 1>, 2>",
        "vector<frozen<list<int>>, 1>" }, types)
      refused(pool, "INSERT INTO t (k, f) VALUES (1, [1, 2])", "expected 3 elements, but given 2")
      refused(pool, "INSERT INTO t (k, f) VALUES (1, [1, null, 2])", "null")
      refused(pool, "INSERT INTO t (k, f) VALUES (1, (1, 2, 3))", "Invalid tuple literal for f")
      pool:close()
    end
  end)
end)
