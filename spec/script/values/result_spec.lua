-- SPDX-License-Identifier: Apache-2.0
local moonpool = require "moonpool"
local random = require "spec.hunt.random"
local it_in = require("spec.support.world").inside(it)

describe("a result", function()
  it_in("has rows by column name, and the first of them", function(world)
    world:schema "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))"
    local pool = world:pool()
    for c = 1, 3 do assert(pool:execute("INSERT INTO t (k, c, v) VALUES (1, ?, ?)", { c, "v" .. c })) end
    local result = assert(pool:execute("SELECT c, v FROM t WHERE k = ?", { 1 }))
    assert.same({ { c = 1, v = "v1" }, { c = 2, v = "v2" }, { c = 3, v = "v3" } }, result.rows)
    assert.equal(result.rows[1], result:first())
    assert.same({ "c", "v" }, { result.columns[1].name, result.columns[2].name })
    assert.same({ name = "c", type = "int", keyspace = "ks", table = "t" }, result.columns[1])
    assert.is_nil(result.pageState)
    assert.is_true(result.wasApplied)
    assert.is_nil(result.nonsense)
    assert.is_nil(assert(pool:execute("SELECT c FROM t WHERE k = ?", { 2 })):first())
  end)

  -- Rows are made, and the list of them, when somebody asks: nobody may notice in which order it was.
  it_in("is one and the same in whatever order it is looked at", function(world)
    world:schema "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))"
    local pool = world:pool()
    local counts = { 0, 1, 1, 1, 2, 7, 8, 20 }
    local function value(k, c) return ("v%d-%d"):format(k, c) end
    for k, count in ipairs(counts) do
      for c = 1, count do assert(pool:execute("INSERT INTO t (k, c, v) VALUES (?, ?, ?)", { k, c, value(k, c) })) end
    end
    local cql = "SELECT c, v FROM t WHERE k = ?"
    local select = assert(pool:prepare(cql))
    local ask = {
      function(k) return pool:run(select, k) end,
      function(k) return pool:execute(select, { k }) end,
      function(k) return pool:execute("SELECT c, v FROM t WHERE k = " .. k) end,
    }
    local looks = {
      function(result) return 1, result:first() end,
      function(result) return 1, result.rows[1] end,
      function(result, r)
        local i = r.below(4) + 1
        return i, result:row(i)
      end,
      function(result)
        local seen, first = 0, nil
        for i, row in result:each() do
          seen, first = seen + 1, first or row
          assert.equal(seen, i)
        end
        assert.equal(result.count, seen)
        return 1, first
      end,
      function(result) return 1, result.wasApplied and result:first() end,
      function(result) return #result.rows, result.rows[#result.rows] end,
    }
    for seed = 1, 60 do
      local r = random.new(seed)
      local k = r.below(#counts) + 1
      local count, kept = counts[k], {}
      local result = assert(r.pick(ask)(k))
      for _ = 1, 1 + r.below(6) do
        if r.chance(3) then assert.equal(count, result.count) end
        local i, row = r.pick(looks)(result, r)
        if i < 1 or i > count then
          assert.is_nil(row)
        else
          assert.same({ c = i, v = value(k, i) }, row)
          assert.is_true(i > 1 or kept[1] == nil or rawequal(kept[1], row), "another first row, seed " .. seed)
          kept[i] = row
        end
      end
      result.rows = { { v = "mine" } } -- who puts a list of one's own there finds that
      assert.same({ "mine", "mine", 1 }, { result:first().v, result:row(1).v, result.count })
    end
  end)

  it_in("without rows has an empty list of them", function(world)
    local pool = world:pool()
    local result = assert(pool:execute "CREATE TABLE ks.t (k int PRIMARY KEY)")
    assert.same({}, result.rows)
    assert.is_nil(result:first())
    assert.is_nil(result.columns)
    assert.is_true(result.wasApplied)
  end)

  it_in("leaves nothing behind when its statement is gone", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v int)"
    local pool = world:pool { maxPreparedStatements = 4 }
    local registry = debug.getregistry()
    local function round(from)
      for i = from, from + 39 do
        assert(pool:execute("SELECT v AS v" .. i .. ", k FROM t WHERE k = ?", { i }))
      end
      collectgarbage()
      collectgarbage()
      local count = 0
      for _, value in pairs(registry) do
        if type(value) == "table" then count = count + 1 end
      end
      return count
    end
    local first = round(1)
    assert.is_true(round(41) <= first + 2)
    assert.is_true(round(81) <= first + 2)
  end)

  it_in("tells whether a condition held", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v int)"
    local pool = world:pool()
    local cql = "INSERT INTO t (k, v) VALUES (?, ?) IF NOT EXISTS"
    assert.is_true(assert(pool:execute(cql, { 1, 10 })).wasApplied)
    local second = assert(pool:execute(cql, { 1, 20 }))
    assert.is_false(second.wasApplied)
    assert.equal(10, second:first().v)
  end)

  it_in("knows who answered, after how many attempts and how long", function(world)
    local pool = world:pool()
    world.sim:latency(10)
    local info = assert(pool:execute "SELECT key FROM system.local").info
    assert.matches("^127%.0%.0%.%d:9042$", info.host)
    assert.equal(1, info.attempts)
    assert.is_true(info.latencyMs >= 20 and info.latencyMs < 25, info.latencyMs)
    assert.same({}, info.warnings)
    assert.is_nil(info.traceId)
  end)

  it_in("names each host from its first answer on, and keeps what it worked out", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local results = {}
    for _ = 1, 2 do
      for node = 1, 3 do
        results[#results + 1] = assert(pool:execute("SELECT key FROM system.local", nil, { host = world:host(node) }))
      end
    end
    for i, result in ipairs(results) do assert.equal(world:host((i - 1) % 3 + 1), result.info.host) end
    for _ = 1, 2 do
      for node = 1, 3 do
        local result = assert(pool:execute("SELECT key FROM system.local", nil, { host = world:host(node) }))
        assert.equal(world:host(node), result.info.host)
        assert.is_true(rawequal(result.info, result.info))
        assert.is_true(rawequal(result.columns, result.columns))
        assert.is_true(rawequal(result:first(), result.rows[1]))
      end
    end
    local empty = assert(pool:execute "CREATE TABLE ks.none (k int PRIMARY KEY)")
    assert.is_true(rawequal(empty.rows, empty.rows))
  end)

  it_in("brings the server's warnings and the id of its trace", function(world)
    local pool = world:pool()
    world.cluster:rule { statement = "SELECT key", warn = "tombstones" }
    local result = assert(pool:execute "SELECT key FROM system.local")
    assert.same({ "tombstones" }, result.info.warnings)
    assert.equal("local", result:first().key)
    world.cluster:clearRules()
    result = assert(pool:execute("SELECT key FROM system.local", nil, { traceQuery = true }))
    assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", result.info.traceId)
  end)

  it_in("keeps both values of two columns of one name", function(world)
    world:schema "CREATE TABLE ks.two (k int PRIMARY KEY, a int, b text)"
    local pool = world:pool()
    assert(pool:execute "INSERT INTO two (k, a, b) VALUES (1, 5, 'x')")
    for _, options in ipairs { {}, { prepare = true } } do
      local row = assert(pool:execute("SELECT a AS v, k, b AS v, a AS v FROM two", nil, options)):first()
      assert.same({ v = 5, k = 1, [3] = "x", [4] = 5 }, row)
    end
  end)

  it_in("of what cannot be paged says what to do", function(world)
    world:schema "CREATE TABLE ks.o (k int, c int, PRIMARY KEY (k, c))"
    local pool = world:pool()
    local cql = "SELECT c FROM o WHERE k IN (1, 2) ORDER BY c"
    local result, err = pool:execute(cql)
    assert.is_nil(result)
    assert.same({ "INVALID", "Cannot page queries with ORDER BY and IN on the partition key: ask for all rows at "
      .. "once, with fetchSize = 0" }, { err.code, err.message })
    assert(pool:execute(cql, nil, { fetchSize = 0 }))
    assert(pool:execute(cql .. " LIMIT 10"))
  end)

  it_in("has the columns of its own answer after the table has changed", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, a int)"
    local pool = world:pool()
    local select = assert(pool:prepare "SELECT * FROM t WHERE k = ?")
    assert(pool:execute("INSERT INTO t (k, a) VALUES (1, 2)"))
    assert.same({ k = 1, a = 2 }, assert(pool:execute(select, { 1 })):first())
    world:schema("DROP TABLE ks.t", "CREATE TABLE ks.t (k int PRIMARY KEY, b text)")
    moonpool.sleep(100)
    assert(pool:execute("INSERT INTO t (k, b) VALUES (1, 'two')"))
    world:eventually("the new columns come", function()
      local result = pool:execute(select, { 1 })
      local row = result and result:first()
      return row and row.b == "two"
    end)
    assert.same({ "k", "b" }, (function()
      local columns = assert(pool:execute(select, { 1 })).columns
      return { columns[1].name, columns[2].name }
    end)())
  end)

  it_in("of every type comes back as it went in", function(world)
    local types = {
      { "ascii", "plain" }, { "bigint", 9007199254740993LL }, { "blob", ("\0\255"):rep(5000) }, { "boolean", false },
      { "date", "2024-02-29" }, { "decimal", "-0.000001" }, { "double", 0.1 }, { "float", 0.5 },
      { "inet", "2001:db8::1" }, { "int", -5 }, { "smallint", 32767 }, { "text", "grüße" }, { "time", 86399999999999 },
      { "timestamp", -1 }, { "timeuuid", moonpool.timeuuid() }, { "tinyint", -128 }, { "uuid", moonpool.uuid() },
      { "varint", "-99999999999999999999" }, { "list<int>", { 3, 1, 3 } }, { "set<text>", { "a", "b" } },
      { "map<text, int>", { one = 1, two = 2 } }, { "frozen<map<text, frozen<list<int>>>>", { a = { 1, 2 } } },
    }
    local columns, names, marks, values = {}, {}, {}, { 1 }
    for i, case in ipairs(types) do
      columns[i], names[i], marks[i], values[i + 1] = "c" .. i .. " " .. case[1], "c" .. i, "?", case[2]
    end
    world:schema("CREATE TABLE ks.every (k int PRIMARY KEY, " .. table.concat(columns, ", ") .. ")")
    for _, version in ipairs { 5, 4, 3 } do
      local pool = world:pool { protocolVersion = version }
      assert(pool:execute("INSERT INTO every (k, " .. table.concat(names, ", ") .. ") VALUES (?, " ..
        table.concat(marks, ", ") .. ")", values))
      local row = assert(pool:execute "SELECT * FROM every WHERE k = 1"):first()
      for i, case in ipairs(types) do assert.same(case[2], row["c" .. i], case[1] .. " in v" .. version) end
      row = assert(pool:execute("SELECT * FROM every WHERE k = ?", { 1 })):first()
      for i, case in ipairs(types) do assert.same(case[2], row["c" .. i], case[1] .. " prepared in v" .. version) end
      pool:close()
    end
  end)

  it_in("leaves what is unset as it was, and null is null", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, a int, b int)"
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO t (k, a, b) VALUES (?, ?, ?)")
    assert(pool:execute(insert, { 1, 10, 20 }))
    assert(pool:execute(insert, { 1, moonpool.unset, moonpool.null }))
    assert.same({ k = 1, a = 10 }, assert(pool:execute("SELECT * FROM t WHERE k = 1")):first())
  end)
end)

describe("rows that a node got wrong", function()
  local function be(value, bytes)
    local out = {}
    for i = bytes, 1, -1 do
      out[i] = string.char(value % 256)
      value = math.floor(value / 256)
    end
    return table.concat(out)
  end

  -- A v4 answer under stream id 0 with one int column "v" and these values.
  local function answer(row_count, values)
    local body = be(2, 4) .. be(1, 4) .. be(1, 4) .. be(2, 2) .. "ks" .. be(1, 2) .. "t" .. be(1, 2) .. "v" ..
      be(9, 2) .. be(row_count, 4) .. values
    return "\132\0\0\0\8" .. be(#body, 4) .. body
  end

  for _, case in ipairs {
    { "a good one", 1, be(4, 4) .. be(7, 4) },
    { "a value of another length", 1, be(3, 4) .. "abc", "column v: 3 bytes are no int" },
    { "fewer rows than it said", 2, be(4, 4) .. be(7, 4), "the answer ends inside of row 2" },
    { "a value that goes on behind the end", 1, be(200, 4) .. be(7, 4), "the answer ends inside of row 1" },
  } do
    it_in("are an error and not half a result: " .. case[1], function(world)
      local pool = world:pool { protocolVersion = 4 }
      world:waitUp(pool)
      world.cluster:rule { statement = "SELECT wrong", raw = answer(case[2], case[3]) }
      local result, err = pool:execute "SELECT wrong FROM system.local"
      if case[4] then
        assert.is_nil(result)
        assert.equal("PROTOCOL_ERROR", err.code)
        assert.equal(case[4], err.message)
      else
        assert.same({ { v = 7 } }, result.rows)
      end
      world.cluster:clearRules()
      assert(pool:execute "SELECT key FROM system.local")
    end)
  end
end)

describe("a column of a type that the simulated cluster has not", function()
  local hex = require "spec.support.hex"

  -- Answers the next SELECT odd with rows of the columns k int and v, of the type and value given in hexadecimal.
  local function answer(world, version, kind, value)
    local body = hex.of("00000002 00000001 00000002 0002 'ks' 0001 't' 0001 'k' 0009 0001 'v'" .. kind ..
      " 00000001 00000004 00000007 " .. value)
    world.cluster:rule { statement = "SELECT odd", raw = string.char(128 + version) .. "\0\0\0\8\0\0" ..
      string.char(math.floor(#body / 256), #body % 256) .. body }
  end

  for _, case in ipairs {
    { "a class of one's own", "0000 000f 'org.example.Odd'", "00000002 00ff", "\0\255" },
    { "a number that is not known", "0016", "00000002 00ff", "\0\255" },
    { "a list of such", "0020 0016", "00000009 00000001 00000001 61", { "a" } },
    { "a user's type", "0030 0002 'ks' 0005 'point' 0002 0001 'x' 0009 0001 'y' 0009", "00000008 00000004 00000007",
      { x = 7 } },
    { "a tuple", "0031 0002 0009 000d", "0000000c 00000004 00000007 ffffffff", { 7, moonpool.null } },
    { "a vector", "0000 001f 'VectorType(FloatType , 2)' 202020202020", "00000008 3f800000 40000000", { 1, 2 } },
  } do
    it_in("shows " .. case[1] .. " and does not cost its row", function(world)
      local pool = world:pool { protocolVersion = 4 }
      answer(world, 4, case[2], case[3])
      assert.same({ { k = 7, v = case[4] } }, assert(pool:execute "SELECT odd FROM system.local").rows)
    end)
  end
end)
