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
      { "c9", "300.1.1.1" }, { "c19", { "x" } } } do
      local result, err = pool:execute(string.format("INSERT INTO types.every (k, %s) VALUES (?, ?)", bad[1]),
        { 1, bad[2] })
      assert.is_nil(result)
      assert.equal("TYPE_MISMATCH", err.code)
      assert.matches(bad[1], err.message, 1, true)
    end
  end)
end)
