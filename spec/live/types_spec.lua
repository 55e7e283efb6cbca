-- SPDX-License-Identifier: Apache-2.0
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"

-- column type, and values that must come back as they went in
local int64 = require "ffi".typeof "int64_t"
local cases = {
  { "ascii", "plain", "" },
  { "bigint", 0, -1, 2 ^ 53, -(2 ^ 53), int64(9007199254740993LL), int64(9223372036854775807LL),
    int64(-9223372036854775807LL - 1) },
  { "blob", "", "\0\1\255", ("\0"):rep(70000) },
  { "boolean", true, false },
  { "date", "1970-01-01", "2026-11-23", "0001-01-01", "9999-12-31" },
  { "decimal", "0", "1.50", "-0.000001", "123456789012345678901234567890.123" },
  { "double", 0, 1.5, -1e300, math.huge, 0.1 },
  { "float", 0, 1.5, -0.25 },
  { "inet", "127.0.0.1", "::1", "2001:db8::1" },
  { "int", 0, 2147483647, -2147483648 },
  { "smallint", 0, 32767, -32768 },
  { "text", "", "grüße 🌙", "a'b" },
  { "time", 0, 86399999999999 },
  { "timestamp", 0, 1700000000123, -1 },
  { "timeuuid", "d0a3cbd4-b1c4-11ee-a506-0242ac120002" },
  { "tinyint", 0, 127, -128 },
  { "uuid", "00000000-0000-0000-0000-000000000000", "550e8400-e29b-41d4-a716-446655440000" },
  { "varint", "0", "-1", "128", "123456789012345678901234567890", "-99999999999999999999" },
  { "list<int>", { 1 }, { 3, 1, 2, 3 } },
  { "set<text>", { "a" }, { "a", "b", "c" } },
  { "map<text, int>", { one = 1 }, { one = 1, two = 2 } },
  { "map<int, text>", { [1] = "one", [300] = "three hundred" } },
  { "list<frozen<list<int>>>", { { 1, 2 }, { 3 } } },
  { "map<text, frozen<set<int>>>", { odd = { 1, 3 }, even = { 2 } } },
  { "frozen<map<text, frozen<map<text, text>>>>", { a = { b = "c" } } },
  { "frozen<list<int>>", {}, { 1 } },
  { "map<double, int>", { [0.5] = 1, NaN = 2, ["-0"] = 3, [0] = 4, [math.huge] = 5 } },
  { "tuple<int, text, frozen<list<double>>>", { 1, "a", { 0.5 } }, { moonpool.null, "", {} },
    { moonpool.null, moonpool.null, moonpool.null } },
  { "tuple<frozen<tuple<int>>, frozen<map<text, frozen<addr>>>>", { { 7 }, { a = { zip = 1 } } } },
  { "addr", { street = "a", zip = 2147483647, tags = { "x", "y" } }, { zip = -2147483648 }, { street = "" } },
  { "frozen<addr>", {}, { tags = {} }, { street = "grüße 🌙" } },
  { "frozen<person>", { name = "ana", home = { street = "s" }, place = { 0.5, moonpool.null },
    at = { 1, -0.5, 2 } }, { home = {} } },
  { "list<frozen<addr>>", { { zip = 1 }, {} } },
  { "set<frozen<tuple<int, text>>>", { { moonpool.null, "b" }, { 1, "a" } } },
  { "map<text, frozen<person>>", { one = { name = "bob" } } },
  { "map<frozen<addr>, int>", nil },
  { "vector<float, 3>", { 1, -0.5, 0.25 }, { math.huge, -math.huge, 0 } },
  { "vector<double, 1>", { 5e-324 } },
  { "vector<text, 3>", { "", "grüße 🌙", ("x"):rep(20000) } },
  { "vector<tinyint, 2>", { -128, 127 } },
  { "vector<varint, 2>", { "123456789012345678901234567890", "-1" } },
  { "vector<uuid, 1>", { "550e8400-e29b-41d4-a716-446655440000" } },
  { "vector<boolean, 2>", { true, false } },
  { "vector<vector<int, 2>, 2>", { { 1, 2 }, { 3, 4 } } },
  { "vector<vector<text, 1>, 2>", { { "a" }, { "bc" } } },
  { "vector<frozen<list<int>>, 2>", { { 1, 2 }, {} } },
  { "vector<frozen<addr>, 2>", { { zip = 1 }, {} } },
  { "vector<frozen<tuple<int, text>>, 1>", { { 1, moonpool.null } } },
  { "list<frozen<vector<float, 2>>>", { { 1, 2 }, { 3, 4 } } },
  { "vector<float, 8192>", (function()
    local list = {}
    for i = 1, 8192 do list[i] = i / 2 end
    return list
  end)() },
  { "'org.apache.cassandra.db.marshal.LexicalUUIDType'", ("\1\255"):rep(8) },
  { "'org.apache.cassandra.db.marshal.DynamicCompositeType(a=>UTF8Type)'", "\128\97\0\1x\0" },
}

describe("every type of a real Cassandra", function()
  local pool

  setup(function()
    live.cluster()
    moonpool.run(function()
      pool = live.pool()
      live.keyspace(pool, "types")
      local columns = {}
      for i, case in ipairs(cases) do columns[i] = string.format("c%d %s", i, case[1]) end
      live.ddl(pool, "DROP TABLE IF EXISTS types.every")
      live.ddl(pool, "CREATE TYPE IF NOT EXISTS types.addr (street text, zip int, tags frozen<set<text>>)")
      live.ddl(pool, "CREATE TYPE IF NOT EXISTS types.person (name text, home frozen<addr>, " ..
        "place frozen<tuple<double, text>>, at vector<float, 3>)")
      live.ddl(pool, "CREATE TABLE IF NOT EXISTS types.every (k int PRIMARY KEY, " .. table.concat(columns, ", ") ..
        ", d duration)")
    end)
  end)
  teardown(function()
    moonpool.run(function() pool:close() end)
  end)

  local function round_trip(column, value)
    assert(pool:execute(string.format("INSERT INTO types.every (k, %s) VALUES (?, ?)", column), { 1, value },
      { consistency = "QUORUM" }))
    return assert(pool:execute(string.format("SELECT %s FROM types.every WHERE k = 1", column), nil,
      { consistency = "QUORUM" })):first()[column]
  end

  for i, case in ipairs(cases) do
    it(case[1] .. " comes back as it went in", function()
      for n = 2, #case do assert.same(case[n], round_trip("c" .. i, case[n])) end
      assert.is_nil(round_trip("c" .. i, moonpool.null))
    end)
  end

  it("a map with a user's type as its key comes back as it went in", function()
    local column
    for i, case in ipairs(cases) do if case[1] == "map<frozen<addr>, int>" then column = "c" .. i end end
    local key, value = next(round_trip(column, { [{ zip = 5 }] = 7 }))
    assert.same({ { zip = 5 }, 7 }, { key, value })
  end)

  it("is in the statement's metadata as it was made", function()
    local columns = {}
    for i in ipairs(cases) do columns[i] = "c" .. i end
    local select = assert(pool:prepare("SELECT " .. table.concat(columns, ", ") .. " FROM types.every WHERE k = 1"))
    for i, case in ipairs(cases) do
      local plain = case[1]:gsub("UTF8Type", "org.apache.cassandra.db.marshal.%1"):gsub("^frozen<(.*)>$", "%1")
        :gsub("frozen<(vector<float, 2>)>", "%1")
      assert.equal(plain, select.columns[i].type)
    end
  end)

  it("a user's type that has grown shows its new fields as null, and takes them", function()
    live.ddl(pool, "DROP TABLE IF EXISTS types.grown")
    live.ddl(pool, "DROP TYPE IF EXISTS types.grows")
    live.ddl(pool, "CREATE TYPE IF NOT EXISTS types.grows (a int)")
    live.ddl(pool, "CREATE TABLE IF NOT EXISTS types.grown (k int PRIMARY KEY, f frozen<grows>, l list<frozen<grows>>)")
    local insert = "INSERT INTO types.grown (k, f, l) VALUES (?, ?, ?)"
    local select = "SELECT f, l FROM types.grown WHERE k = ?"
    assert(pool:execute(insert, { 1, { a = 1 }, { { a = 2 } } }, { consistency = "ALL" }))
    live.ddl(pool, "ALTER TYPE types.grows ADD b text")
    assert.same({ f = { a = 1 }, l = { { a = 2 } } },
      assert(pool:execute(select, { 1 }, { consistency = "ALL" })):first())
    live.eventually(20000, "the new field is known", function()
      return (pool:execute(insert, { 2, { b = "x" }, { {}, { a = 3, b = "y" } } }, { consistency = "ALL" }))
    end)
    assert.same({ f = { b = "x" }, l = { {}, { a = 3, b = "y" } } },
      assert(pool:execute(select, { 2 }, { consistency = "ALL" })):first())
  end)

  it("duration comes back as it went in", function()
    local back = round_trip("d", { months = 14, days = 3, nanoseconds = 5000000001 })
    assert.equal(14, back.months)
    assert.equal(3, back.days)
    assert.equal(5000000001, back.nanoseconds)
  end)

  it("a null and an unset value are two things", function()
    assert(pool:execute("INSERT INTO types.every (k, c10) VALUES (5, 10)"))
    local update = assert(pool:prepare "INSERT INTO types.every (k, c10, c12) VALUES (?, ?, ?)")
    assert(pool:execute(update, { 5, moonpool.unset, "set" }, { consistency = "QUORUM" }))
    local row = assert(pool:execute("SELECT c10, c12 FROM types.every WHERE k = 5", nil,
      { consistency = "QUORUM" })):first()
    assert.same({ c10 = 10, c12 = "set" }, row)
    assert(pool:execute(update, { 5, moonpool.null, "set" }, { consistency = "QUORUM" }))
    row = assert(pool:execute("SELECT c10 FROM types.every WHERE k = 5", nil, { consistency = "QUORUM" })):first()
    assert.is_nil(row.c10)
  end)

  it("a value that does not fit is refused before it is sent", function()
    for _, bad in ipairs { { "c10", 2147483648 }, { "c10", 1.5 }, { "c10", "x" }, { "c17", "not a uuid" }, { "c4", 1 },
      { "c9", "300.1.1.1" }, { "c19", { "x" } }, { "c12", "\255" }, { "c28", { 1, "a" } }, { "c30", { zap = 1 } },
      { "c30", { street = "\192\128" } }, { "c37", { 1, 2 } }, { "c37", { 1, moonpool.null, 2 } } } do
      local result, err = pool:execute(string.format("INSERT INTO types.every (k, %s) VALUES (?, ?)", bad[1]),
        { 1, bad[2] })
      assert.is_nil(result)
      assert.equal("TYPE_MISMATCH", err.code)
      assert.matches(bad[1], err.message, 1, true)
    end
  end)
end)
