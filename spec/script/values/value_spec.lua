-- SPDX-License-Identifier: Apache-2.0
-- The mapping of values, one by one: moonpool.encode and moonpool.decode are the functions of requests and rows.
local ffi = require "ffi"
local C = require "spec.support.c"
local moonpool = require "moonpool"

local int64 = ffi.typeof "int64_t"

local function bytes(hex)
  return (hex:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function refused(kind, value, why)
  local encoded, err = moonpool.encode(kind, value)
  assert.is_nil(encoded)
  assert.equal("TYPE_MISMATCH", err.code)
  assert.matches(why, err.message, 1, true)
end

-- A slot of Lua's stack that each element leaves behind is no harm to a small value: a stack has 65,500.
describe("an element", function()
  local MANY = 66000
  local key = "2001:db8::1"
  local elements = {
    int = 1, bigint = 5LL, text = "x", inet = key, uuid = "550e8400-e29b-41d4-a716-446655440000", date = "2024-02-29",
    varint = "-129", decimal = "1.5", duration = { months = 1, days = 2, nanoseconds = 3 }, boolean = true,
    double = 0.5, ["map<inet, int>"] = { [key] = 1, ["10.0.0.1"] = 2 }, -- two of its keys might be one
    ["list<int>"] = { 1, 2 }, ["set<text>"] = { "a", "b" }, ["map<int, text>"] = { [5] = "five" },
    ["map<double, int>"] = { [0.5] = 1 }, ["tuple<int, text>"] = { 1, "x" }, ["vector<float, 2>"] = { 1, 2 },
    ["vector<text, 1>"] = { "x" }, ["list<frozen<map<text, frozen<set<int>>>>>"] = { { a = { 1 } } },
  }
  for kind, value in pairs(elements) do
    it("of type " .. kind .. " leaves nothing behind when it is written and read", function()
      local list = {}
      for i = 1, MANY do list[i] = value end
      local encoded = assert(moonpool.encode("list<" .. kind .. ">", list))
      assert.equal(MANY, #assert(moonpool.decode("list<" .. kind .. ">", encoded)))
    end)
  end

  it("of a set or a map leaves nothing behind either", function()
    local set, map, back = {}, {}, {}
    for i = 1, MANY do
      set[i], map[i], back["k" .. i] = i, { i }, i
    end
    for kind, value in pairs { ["set<int>"] = set, ["map<int, list<int>>"] = map, ["map<text, int>"] = back } do
      local decoded = assert(moonpool.decode(kind, assert(moonpool.encode(kind, value))))
      local count = 0
      for _ in pairs(decoded) do count = count + 1 end
      assert.equal(MANY, count)
    end
  end)
end)

describe("encode and decode", function()
  it("leave no memory behind, whatever becomes of the value", function()
    local function held()
      local stats = C.mp_mem_stats()
      return tonumber(stats.allocs - stats.frees)
    end
    local maps = "list<frozen<map<text, int>>>"
    local cases = { { "int", 5 }, { "int", "x" }, { maps, { { a = 1 } } }, { maps, { { a = "x" } } },
      { "varint", "123" }, { "tuple<int, text>", { 1, "x" } }, { "text", ("x"):rep(9999) },
      { "vector<float, 2>", { 1 } }, { "nonsense<", 1 } }
    for _, case in ipairs(cases) do
      local before
      for i = 1, 20 do
        if i == 5 then before = held() end
        local ok, encoded = pcall(moonpool.encode, case[1], case[2])
        if ok and encoded then
          assert(moonpool.decode(case[1], encoded))
          moonpool.decode(case[1], encoded:sub(1, -2))
        end
      end
      assert.equal(before, held(), case[1])
    end
  end)
end)

describe("a value", function()
  -- type, Lua value, its bytes
  for _, case in ipairs {
    { "int", -1, "ffffffff" }, { "int", 2147483647, "7fffffff" }, { "smallint", -32768, "8000" },
    { "tinyint", 127, "7f" }, { "bigint", 5, "0000000000000005" }, { "bigint", -2 ^ 53, "ffe0000000000000" },
    { "counter", 7, "0000000000000007" }, { "timestamp", 1700000000123, "0000018bcfe5687b" },
    { "time", 86399999999999, "00004e94914effff" }, { "double", 1.5, "3ff8000000000000" },
    { "float", -0.25, "be800000" }, { "boolean", true, "01" }, { "boolean", false, "00" }, { "text", "grüße", nil },
    { "text", "", "" }, { "blob", "\0\255", "00ff" }, { "uuid", "550e8400-e29b-41d4-a716-446655440000",
      "550e8400e29b41d4a716446655440000" }, { "inet", "10.0.0.1", "0a000001" },
    { "inet", "2001:db8::1", "20010db8000000000000000000000001" }, { "date", "1970-01-01", "80000000" },
    { "date", "2024-02-29", "80004d46" }, { "date", "-5877641-06-23", "00000000" },
    { "date", "5881580-07-11", "ffffffff" }, { "varint", "0", "00" }, { "varint", "-129", "ff7f" },
    { "varint", "123456789012345678901234567890", nil }, { "decimal", "1.50", "000000020096" },
    { "decimal", "-0.000001", nil },
  } do
    it(string.format("of type %s: %s is written and read", case[1], tostring(case[2])), function()
      local encoded = assert(moonpool.encode(case[1], case[2]))
      if case[3] then assert.equal(bytes(case[3]), encoded) end
      assert.equal(case[2], (moonpool.decode(case[1], encoded)))
    end)
  end

  it("that is a list is written place by place, in whatever order its table was filled", function()
    for count = 1, 40 do
      local list = {}
      for _, step in ipairs { 1, count - 1, 7 } do
        local filled = {}
        for i = 0, count - 1 do filled[(i * step) % count + 1] = (i * step) % count * 3 end
        for i = 1, count do
          filled[i] = filled[i] or (i - 1) * 3
          list[i] = (i - 1) * 3
        end
        assert.same(list, (moonpool.decode("list<int>", assert(moonpool.encode("list<int>", filled)))))
      end
      local backwards = {}
      for i = count, 1, -1 do backwards[i] = (i - 1) * 3 end
      assert.same(list, (moonpool.decode("list<int>", assert(moonpool.encode("list<int>", backwards)))))
      backwards[count + 2] = 1
      assert.is_nil((moonpool.encode("list<int>", backwards)))
    end
  end)

  it("of 64 bits is a number up to 2^53 and an int64_t beyond", function()
    local beyond = moonpool.decode("bigint", bytes "0020000000000001")
    assert.equal("cdata", type(beyond))
    assert.is_true(ffi.istype(int64, beyond))
    assert.equal("9007199254740993LL", tostring(beyond))
    assert.equal(bytes "0020000000000001", (moonpool.encode("bigint", beyond)))
    assert.equal("number", type(moonpool.decode("bigint", bytes "0020000000000000")))
    assert.equal("-9223372036854775808LL", tostring(moonpool.decode("bigint", bytes "8000000000000000")))
    for _, given in ipairs { 9223372036854775807LL, "9223372036854775807", 9223372036854775807ULL } do
      assert.equal(bytes "7fffffffffffffff", (moonpool.encode("bigint", given)))
    end
    assert.equal(bytes "8000000000000000", (moonpool.encode("bigint", "-9223372036854775808")))
  end)

  it("that would lose something is refused, and the message does not show it", function()
    refused("int", 1.5, "not whole")
    refused("int", 2147483648, "out of range")
    refused("tinyint", 128, "out of range")
    refused("int", "7", "got string")
    refused("int", 0 / 0, "not whole")
    refused("int", math.huge, "not exact")
    refused("bigint", 2 ^ 53 + 2, "2^53")
    refused("bigint", "9223372036854775808", "no integer of 64 bits")
    refused("bigint", "12a", "no integer of 64 bits")
    refused("bigint", "", "no integer of 64 bits")
    refused("bigint", 9223372036854775808ULL, "out of range")
    refused("bigint", ffi.new "int32_t[1]", "no 64-bit integer")
    refused("float", 1e300, "out of range")
    refused("double", "1", "got string")
    refused("boolean", 1, "got number")
    refused("text", 5, "got number")
    refused("uuid", "secret", "no UUID")
    refused("inet", "300.1.1.1", "no IP address")
    for _, date in ipairs { "2023-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "24-01-01", "2024-01-001",
      "2024-001-01", "2024-01-01x",
      "5881580-07-12", "-5877641-06-22", "" } do
      refused("date", date, "no date")
    end
    refused("varint", "1.5", "no varint")
    refused("varint", 1.5, "not whole")
    refused("decimal", "one", "no decimal")
    refused("decimal", 0 / 0, "not finite")
    refused("duration", { months = 1, days = -1 }, "same sign")
    refused("duration", { months = 2 ^ 31 }, "months out of range")
    refused("duration", 5, "got number")
    for _, part in ipairs { "months", "days", "nanoseconds" } do
      refused("duration", { [part] = "x" }, part .. ": got a string that is no integer of 64 bits")
      refused("duration", { [part] = 1.5 }, part .. ": got a number that is not whole")
      refused("duration", { [part] = true }, part .. ": got boolean")
      refused("list<duration>", { { [part] = {} } }, "list: element 1: " .. part .. ": got table")
    end
    refused("list<int>", { a = 1 }, "no list")
    refused("list<int>", { 1, "x" }, "got string")
    refused("list<int>", 1, "got number")
    refused("list<int>", { 1, moonpool.null }, "cannot hold null")
    refused("map<text, int>", { [5] = 1 }, "got number")
    local _, err = moonpool.encode("text", nil)
    assert.is_nil(err)
  end)

  it("that is outside of its type is refused, whatever carries it", function()
    for _, case in ipairs { { "time", -1 }, { "time", 86400000000000 }, { "time", "86400000000000" }, { "time", -1LL },
      { "inet", "1.2.3.4\0junk" }, { "inet", "1.2.3.4\0" }, { "inet", "::1%lo" }, { "text", "\255" },
      { "text", "a\237\160\128" }, { "ascii", "\195\188" }, { "float", 1e-300 }, { "varint", "1\0" },
      { "timeuuid", "550e8400-e29b-41d4-a716-446655440000" }, { "duration", { month = 1 } }, { "duration", { 1, 2,
        3 } },
      { "duration", { months = 1, ["days\0"] = 1 } } } do
      local kind, value = case[1], case[2]
      refused(kind, value, "got ")
      refused("list<" .. kind .. ">", { value }, "element 1: got ")
      refused("map<int, " .. kind .. ">", { [5] = value }, "the value of a key: got ")
    end
    refused("map<time, int>", { [-1] = 1 }, "a key: got a number out of range")
    refused("map<text, int>", { ["\255"] = 1 }, "a key: got a string that is not UTF-8")
  end)

  it("that is a list has the places 1 to n and nothing else, at every depth", function()
    local holes = {
      [{ 1, nil, 3 }] = "nothing at 2", [{ [1] = 1, [3] = 3 }] = "nothing at 2", [{ [2] = 2 }] = "nothing at 1",
      [{ 1, 2, extra = 3 }] = "a key of type string", [{ [0] = 0, 1 }] = "a place 0", [{ 1,
        [1.5] = 2 }] = "a place 1.5",
      [{ [-1] = 1 }] = "a place -1", [{ 1, [true] = 2 }] = "a key of type boolean", [{ 1,
        [1e15] = 2 }] = "nothing at 2",
      [{ [math.huge] = 1 }] = "nothing at 1", [{ 1, [{}] = 1 }] = "a key of type table",
    }
    for value, why in pairs(holes) do
      refused("list<int>", value, why)
      refused("set<int>", value, why)
      refused("list<frozen<list<int>>>", { { 1 }, value }, "element 2: got a table that is no list")
      refused("map<text, frozen<list<frozen<set<int>>>>>", { a = { { 1 }, {}, value } },
        "the value of a key: element 3: got")
      refused("map<frozen<list<int>>, int>", { [value] = 1 }, "a key: got a table that is no list")
    end
    for _, null in ipairs { moonpool.null, moonpool.unset } do
      refused("list<int>", { 1, null }, "element 2: a collection cannot hold")
      refused("set<int>", { null }, "element 1: a collection cannot hold")
      refused("map<int, int>", { [1] = null }, "the value of a key: a collection cannot hold")
      refused("map<text, frozen<list<int>>>", { a = { null } },
        "the value of a key: element 1: a collection cannot hold")
    end
    local shuffled = {}
    for _, place in ipairs { 5, 3, 1, 4, 2 } do shuffled[place] = place * 10 end
    assert.same({ 10, 20, 30, 40, 50 }, (moonpool.decode("list<int>", (assert(moonpool.encode("list<int>",
      shuffled))))))
  end)

  it("that is a map has no two keys that are one", function()
    refused("map<bigint, int>", { [1] = 1, ["1"] = 2 }, "two keys that are the same key")
    refused("map<bigint, int>", { [1] = 1, [1LL] = 2 }, "two keys that are the same key")
    refused("map<varint, int>", { ["1"] = 1, ["01"] = 2 }, "two keys that are the same key")
    refused("map<inet, int>", { ["::1"] = 1, ["0::1"] = 2 }, "two keys that are the same key")
    refused("map<float, int>", { [0.1] = 1, [0.1 + 1e-15] = 2 }, "two keys that are the same key")
    refused("map<frozen<list<int>>, int>", { [{ 1 }] = 1, [{ 1 }] = 2 }, "two keys that are the same key")
    refused("map<uuid, int>", { ["550e8400-e29b-41d4-a716-446655440000"] = 1,
      ["550E8400-E29B-41D4-A716-446655440000"] = 2 }, "two keys that are the same key")
    refused("list<frozen<map<bigint, int>>>", { { [1] = 1, ["1"] = 2 } }, "element 1: got a table with two keys")
    assert.truthy(moonpool.encode("map<bigint, int>", { [1] = 1, ["2"] = 2, [3LL] = 3 }))
  end)

  -- Whether LuaJIT is one that has this mistake the spec cannot choose.
  it("into which compiled code has put NaN as a key is refused", function()
    local keys = {}
    for i = 1, 300 do keys[i] = i + 0.5 end
    keys[290] = 0 / 0
    local function put(t, key, value) t[key] = value end
    for _, case in ipairs { { "map<double, int>", 1, 1 }, { "list<int>", 1, 1 }, { "vector<int, 2>", 1, 1 },
      { "duration", "days", 1 }, { "tuple<int>", 1, 1 }, { [[
      'org.apache.cassandra.db.marshal.UserType(ks,61,78:org.apache.cassandra.db.marshal.Int32Type)']], "x", 1 } } do
      local tables, has_nan = {}, false
      for i = 1, 300 do
        tables[i] = { [case[2]] = case[3] }
        has_nan = pcall(put, tables[i], keys[i], 1) and i == 290 or has_nan
      end
      local value, err = moonpool.encode(case[1], tables[290])
      assert.equal(not has_nan and case[1] ~= "vector<int, 2>", value ~= nil)
      if has_nan then assert.equal("TYPE_MISMATCH", err.code) end
      if has_nan then assert.is_nil((moonpool.encode("list<" .. case[1] .. ">", { tables[290] }))) end
    end
  end)

  it("of decimal is written with a point in any locale", function()
    ffi.cdef "char *setlocale(int, const char *);"
    for _, locale in ipairs { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "C" } do
      ffi.C.setlocale(1, locale) -- LC_NUMERIC; where a locale is not installed nothing changes
      assert.equal("0.1", (moonpool.decode("decimal", (moonpool.encode("decimal", 0.1)))))
    end
  end)

  it("that is an infinity or a NaN stays one", function()
    for _, kind in ipairs { "double", "float" } do
      assert.equal(math.huge, (moonpool.decode(kind, (moonpool.encode(kind, math.huge)))))
      local nan = moonpool.decode(kind, (moonpool.encode(kind, 0 / 0)))
      assert.is_true(nan ~= nan)
    end
  end)

  -- With these bits LuaJIT has texts, tables, functions and what its compiler keeps.
  it("that is a NaN is a number, whatever bits it has", function()
    for high = 0xfff0, 0xffff do
      local double = ("%04x"):format(high) .. "deadbeefcafe"
      local float = ("%04x"):format(0xff80 + bit.lshift(high - 0xfff0, 3)) .. "dead"
      for kind, value in pairs { double = bytes(double), float = bytes(float) } do
        local nan = moonpool.decode(kind, value)
        assert.equal("number", type(nan))
        assert.is_true(nan ~= nan)
        local inner = moonpool.decode("list<" .. kind .. ">", "\0\0\0\1\0\0\0" .. string.char(#value) .. value)[1]
        assert.is_true(type(inner) == "number" and inner ~= inner)
        local map = moonpool.decode("map<" .. kind .. ", boolean>",
          "\0\0\0\1\0\0\0" .. string.char(#value) .. value .. "\0\0\0\1\1")
        assert.same({ NaN = true }, map)
      end
    end
  end)

  it("of decimal or varint may be given as a number", function()
    assert.equal("0.1", (moonpool.decode("decimal", (moonpool.encode("decimal", 0.1)))))
    assert.equal("9007199254740993", (moonpool.decode("varint", (moonpool.encode("varint", 9007199254740993LL)))))
    assert.equal("-5", (moonpool.decode("varint", (moonpool.encode("varint", -5)))))
  end)

  it("of duration is a table that prints as CQL writes it", function()
    local back = moonpool.decode("duration", (moonpool.encode("duration", { months = 14, days = 3, nanoseconds = 5 })))
    assert.same({ months = 14, days = 3, nanoseconds = 5 }, { months = back.months, days = back.days,
      nanoseconds = back.nanoseconds })
    assert.equal("14mo3d5ns", tostring(back))
    back = moonpool.decode("duration", (moonpool.encode("duration", { nanoseconds = -9223372036854775807LL })))
    assert.equal("0mo0d-9223372036854775807ns", tostring(back))
  end)

  for _, case in ipairs {
    { "list<int>", { 3, 1, 2 } }, { "set<text>", { "a", "b" } }, { "list<int>", {} },
    { "map<text, int>", { one = 1, two = 2 } }, { "map<int, text>", { [300] = "x", [-1] = "y" } },
    { "map<text, frozen<list<frozen<set<int>>>>>", { deep = { { 1, 2 }, {} }, empty = {} } },
    { "list<frozen<map<text, boolean>>>", { { yes = true }, { no = false } } },
  } do
    it("of type " .. case[1] .. " comes back with all its elements", function()
      assert.same(case[2], (moonpool.decode(case[1], (assert(moonpool.encode(case[1], case[2]))))))
    end)
  end

  it("that is null inside of a collection is moonpool.null", function()
    assert.same({ 1, moonpool.null }, (moonpool.decode("list<int>", bytes "00000002 00000004 00000001 ffffffff")))
  end)

  it("of a type that is not there yet is refused by name", function()
    assert.has_error(function() moonpool.encode("nonsense", 1) end)
    assert.has_error(function() moonpool.encode("list<>", 1) end)
  end)
end)

local M = "org.apache.cassandra.db.marshal."
local ADDRESS = ("'@UserType(ks,61646472,737472656574:@UTF8Type,7a6970:@Int32Type)'"):gsub("@", M) -- addr: street, zip

describe("a value with parts", function()
  -- type, Lua value, its bytes, what it reads as when that is another one
  for _, case in ipairs {
    { "tuple<int, text>", { 1, "a" }, "00000004 00000001 00000001 61" },
    { "tuple<int, text>", { moonpool.null, "a" }, "ffffffff 00000001 61" },
    { "tuple<int, text>", { nil, "a" }, "ffffffff 00000001 61", { moonpool.null, "a" } },
    { "tuple<int, text>", { 1, moonpool.null }, "00000004 00000001 ffffffff" },
    { "tuple<tuple<int>>", { { 7 } }, "00000008 00000004 00000007" },
    { "vector<float, 3>", { 1, -0.5, math.huge }, "3f800000 bf000000 7f800000" },
    { "vector<text, 2>", { "", "ab" }, "00 02 6162" },
    { "vector<smallint, 2>", { 1, -1 }, "02 0001 02 ffff" },
    { "vector<vector<int, 1>, 2>", { { 1 }, { 2 } }, "00000001 00000002" },
    { "vector<frozen<list<int>>, 1>", { { 9 } }, "0c 00000001 00000004 00000009" },
    { ADDRESS, { street = "a", zip = 5 }, "00000001 61 00000004 00000005" },
    { ADDRESS, { zip = 5 }, "ffffffff 00000004 00000005" },
    { ADDRESS, { street = moonpool.null, zip = 5 }, "ffffffff 00000004 00000005", { zip = 5 } },
    { ADDRESS, {}, "ffffffff ffffffff" },
    { "list<frozen<" .. ADDRESS .. ">>", { { zip = 1 } }, "00000001 0000000c ffffffff 00000004 00000001" },
    { "'a.b.Custom'", "\0\255", "00ff" },
    { "list<'a.b.Custom'>", { "xy" }, "00000001 00000002 7879" },
  } do
    it(case[1]:gsub("org.apache.cassandra.db.marshal.", "") .. " is written and read back, " .. case[3], function()
      assert.equal(bytes(case[3]), assert(moonpool.encode(case[1], case[2])))
      assert.same(case[4] or case[2], assert(moonpool.decode(case[1], bytes(case[3]))))
    end)
  end

  it("that was stored when its type had fewer of them shows the others as null", function()
    assert.same({ street = "a" }, (moonpool.decode(ADDRESS, bytes "00000001 61")))
    assert.same({}, (moonpool.decode(ADDRESS, "")))
    assert.same({ 1, moonpool.null }, (moonpool.decode("tuple<int, text>", bytes "00000004 00000001")))
    assert.same({ moonpool.null, moonpool.null }, (moonpool.decode("tuple<int, text>", "")))
    for parts = 15, 20 do -- so many missing ones are told
      for there = 0, parts do
        local expected, missing = {}, parts - there
        for i = 1, there do expected[i] = 7 end
        for i = there + 1, missing <= 16 and parts or there do expected[i] = moonpool.null end
        local value = bytes("00000004 00000007"):rep(there)
        assert.same(expected, (moonpool.decode("tuple<" .. ("int,"):rep(parts - 1) .. "int>", value)))
      end
    end
  end)

  it("that has more of them than its type shows those as bytes at their places", function()
    assert.same({ street = "a", zip = 5, [3] = "new" },
      (moonpool.decode(ADDRESS, bytes "00000001 61 00000004 00000005 00000003 6e6577")))
    assert.same({ [4] = "", zip = 5 }, (moonpool.decode(ADDRESS, bytes "ffffffff 00000004 00000005 ffffffff 00000000")))
    assert.same({ 1, "new" }, (moonpool.decode("tuple<int>", bytes "00000004 00000001 00000003 6e6577")))
  end)

  it("whose parts lie elsewhere, or lack, is refused, and says where", function()
    for _, case in ipairs {
      { ADDRESS, 5, "got number" }, { ADDRESS, { stret = "a" }, "a field 'stret', which type addr has not" },
      { ADDRESS, { "a", 5 }, "a key of type number, where type addr has fields" },
      { ADDRESS, { street = "\255" }, "field street: got a string that is not UTF-8" },
      { ADDRESS, { zip = 1.5 }, "field zip: got" }, { ADDRESS, { zip = moonpool.unset }, "field zip: got unset" },
      { "tuple<int, text>", { 1 }, "the tuple has 2: moonpool.null is a null" },
      { "tuple<int, text>", {}, "whose last place is 0" }, { "tuple<int, text>", { 1, "a", 2 }, "a place 3" },
      { "tuple<int, text>", { 1, "a", x = 1 }, "a key of type string" },
      { "tuple<int, text>", { [0] = 1 }, "a place 0" },
      { "tuple<int, text>", { 1, 2 }, "part 2: got number" }, { "tuple<int>", { moonpool.unset }, "part 1: got unset" },
      { "vector<int, 2>", { 1 }, "got 1 elements, the vector has 2" },
      { "vector<int, 2>", { 1, 2, 3 }, "got 3 elements, the vector has 2" },
      { "vector<int, 2>", { 1, nil, 3 }, "there is nothing at 2" },
      { "vector<int, 2>", { 1, moonpool.null }, "element 2: a vector cannot hold null" },
      { "vector<int, 1>", { moonpool.unset }, "element 1: got unset" },
      { "vector<text, 1>", { "\255" }, "element 1: got a string that is not UTF-8" },
      { "vector<int, 1>", "x", "got string" },
      { "list<frozen<" .. ADDRESS .. ">>", { {}, { zip = "x" } }, "element 2: field zip: got string" },
      { "'a.b.Custom'", 1, "got number" },
    } do
      refused(case[1], case[2], case[3])
    end
  end)

  it("that ends too early, or goes on, is refused", function()
    for _, case in ipairs {
      { ADDRESS, "00000002 61" }, { ADDRESS, "00" }, { ADDRESS, "00000001 61 00000003 000000" },
      { ADDRESS, "00000001 61 00000004 00000005 00" }, { "tuple<int>", "00000004 0000" }, { "tuple<int>",
        "00000004 00000001 00000009 00" }, { "vector<int, 2>", "00000001" }, { "vector<int, 1>", "00000001 00" },
      { "vector<text, 2>", "01 61" }, { "vector<text, 1>", "01 61 00" }, { "vector<smallint, 1>", "01 00" },
    } do
      local value, err = moonpool.decode(case[1], bytes(case[2]))
      assert.is_nil(value, case[1] .. " " .. case[2])
      assert.equal("TYPE_MISMATCH", err.code)
    end
  end)
end)

describe("bytes of a node", function()
  it("that do not fit their type are refused", function()
    for _, case in ipairs {
      { "int", "000001" }, { "bigint", "00" }, { "smallint", "000000" }, { "tinyint", "0000" }, { "double", "00" },
      { "float", "0000000000" }, { "boolean", "0000" }, { "uuid", "00" }, { "inet", "00" }, { "date", "00" },
      { "time", "00" }, { "decimal", "000000" }, { "duration", "ffffffffffffffffff" }, { "list<int>", "00" },
      { "list<int>", "7fffffff" }, { "list<int>", "00000001 000000ff 00" }, { "list<int>", "ffffffff" },
      { "map<int, int>", "00000001 00000004 00000001" }, { "list<int>", "00000000 00" },
      { "list<int>", "00000001 00000004 00000001 00" }, { "map<int, int>", "00000000 00000000" }, { "list<int>",
        "00000001 00000003 000000" },
    } do
      local value, err = moonpool.decode(case[1], bytes(case[2]))
      assert.is_nil(value)
      assert.equal("TYPE_MISMATCH", err.code, case[1] .. " " .. case[2])
    end
  end)

  it("with a key of NaN or -0, which no Lua table has, show it as a text, and it is written so", function()
    for _, case in ipairs {
      { "map<double, int>", "00000001 00000008 7ff8000000000000 00000004 00000001", "NaN" },
      { "map<float, int>", "00000001 00000004 80000000 00000004 00000001", "-0" },
      { "map<double, int>", "00000001 00000008 8000000000000000 00000004 00000001", "-0" },
    } do
      local value = moonpool.decode(case[1], bytes(case[2]))
      assert.same({ [case[3]] = 1 }, value)
      assert.equal(bytes(case[2]), moonpool.encode(case[1], value))
    end
    local both = "00000002 00000008 0000000000000000 00000004 00000001 00000008 8000000000000000 00000004 00000002"
    assert.same({ [0] = 1, ["-0"] = 2 }, (moonpool.decode("map<double, int>", bytes(both))))
    for _, kind in ipairs { "map<double, int>", "map<float, int>" } do
      for _, key in ipairs { "nan", "0", "1", "" } do
        local value, err = moonpool.encode(kind, { [key] = 1 })
        assert.is_nil(value)
        assert.matches("a key: got ", err.message, 1, true)
      end
    end
    assert.is_nil((moonpool.encode("double", "NaN")))
  end)

  it("of no length are null for a type without an empty value", function()
    for _, kind in ipairs { "int", "uuid", "list<int>", "duration" } do
      local value, err = moonpool.decode(kind, "")
      assert.is_nil(value)
      assert.is_nil(err)
    end
    assert.equal("", (moonpool.decode("text", "")))
  end)

  it("of any kind never harm, whatever the type", function()
    local state = 42
    local function random(bound)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % bound
    end
    local kinds = { "int", "bigint", "varint", "decimal", "duration", "list<int>", "map<text, frozen<set<int>>>",
      "date", "inet", "uuid", "double", "list<frozen<list<frozen<list<duration>>>>>", ADDRESS, "tuple<int, text>",
      "vector<int, 3>", "vector<frozen<tuple<text, frozen<" .. ADDRESS .. ">>>, 2>", "vector<tinyint, 1000000000>" }
    for _ = 1, 3000 do
      local raw = {}
      for i = 1, random(40) do raw[i] = string.char(random(4) == 0 and random(256) or random(3)) end
      moonpool.decode(kinds[random(#kinds) + 1], table.concat(raw))
    end
  end)
end)
