-- SPDX-License-Identifier: Apache-2.0
-- The rows of an answer with many of them are bytes until somebody asks for them. Nobody may notice but by the price.
local moonpool = require "moonpool"
local random = require "spec.hunt.random"
local hex = require "spec.support.hex"
local it_in = require("spec.support.world").inside(it)

local FEW = { fetchSize = 7 } -- so few rows are made at once

local function collect()
  collectgarbage()
  collectgarbage()
end

local function is_kept(result) return rawget(result, "_page") ~= nil and rawget(result, "rows") == nil end

local function filled(world, count)
  world:schema "CREATE TABLE ks.p (k int, c int, v text, id uuid, PRIMARY KEY (k, c))"
  local pool = world:pool()
  local insert = assert(pool:prepare "INSERT INTO p (k, c, v, id) VALUES (1, ?, ?, ?)")
  for c = 1, count do assert(pool:execute(insert, { c, "value " .. c, moonpool.uuid() })) end
  return pool, assert(pool:prepare "SELECT c, v, id FROM p WHERE k = 1")
end

-- All rows of a statement, of pages that are too small to be kept.
local function made_at_once(pool, statement)
  local rows, options = {}, { fetchSize = FEW.fetchSize }
  repeat
    local result = assert(pool:execute(statement, nil, options))
    for _, row in ipairs(result.rows) do rows[#rows + 1] = row end
    options.pageState = result.pageState
  until not options.pageState
  return rows
end

describe("an answer of many rows", function()
  it_in("keeps bytes until they are asked for, and then is as every other", function(world)
    local pool, select = filled(world, 40)
    local expected = made_at_once(pool, select)
    local result = assert(pool:execute(select))
    assert.is_true(is_kept(result))
    assert.equal(40, result.count)
    assert.equal("v", result.columns[2].name)
    assert.is_true(result.wasApplied)
    assert.is_true(is_kept(result))
    assert.same(expected, result.rows)
    assert.is_false(is_kept(result))
    assert.equal(40, #result.rows)
    assert.equal(40, result.count)
    assert.is_true(rawequal(result.rows, result.rows))
    assert.is_nil(result.rows[41])
    assert.is_nil(getmetatable(result.rows))
    assert.is_nil(getmetatable(result.rows[1]))
    local seen = 0
    for i, row in ipairs(result.rows) do
      seen = seen + 1
      assert.same(expected[i], row)
    end
    assert.equal(40, seen)
  end)

  it_in("gives single rows without making the others", function(world)
    local pool, select = filled(world, 20)
    local expected = made_at_once(pool, select)
    local result = assert(pool:execute(select))
    assert.same(expected[1], result:first())
    assert.is_true(rawequal(result:first(), result:first()))
    assert.same(expected[20], result:row(20))
    assert.is_false(rawequal(result:row(20), result:row(20)))
    for _, none in ipairs { 0, -1, 21, 1.5, 2 ^ 40, 0 / 0, math.huge } do assert.is_nil(result:row(none)) end
    local list = {}
    for i, row in result:each() do list[i] = row end
    assert.same(expected, list)
    assert.is_true(is_kept(result))
    local first = result:first()
    first.mine = true
    assert.is_true(rawequal(first, result.rows[1]))
    assert.is_true(rawequal(first, result:first()))
    assert.is_true(rawequal(result.rows[20], result:row(20)))
    for i, row in result:each() do assert.is_true(rawequal(result.rows[i], row)) end
  end)

  it_in("is the same however it is read and however many columns it has", function(world)
    for _, width in ipairs { 1, 2, 5, 6, 7, 23, 24, 25, 39, 40, 41, 100, 101 } do
      local columns, names, values = {}, {}, {}
      for i = 1, width do columns[i], names[i] = "v" .. i .. " int", "v" .. i end
      world:schema(("CREATE TABLE ks.w%d (k int, c int, %s, PRIMARY KEY (k, c))"):format(width,
        table.concat(columns, ", ")))
      local pool = world:pool()
      local count = 8 + width % 12
      for c = 1, count do
        for i = 1, width do values[i] = (i + c) % 3 == 0 and "null" or tostring(i * 100 + c) end
        local insert = ("INSERT INTO w%d (k, c, %s) VALUES (1, %d, %s)"):format(width, table.concat(names, ", "), c,
          table.concat(values, ", "))
        assert(pool:execute(insert))
      end
      local select = assert(pool:prepare(("SELECT %s FROM w%d WHERE k = 1"):format(table.concat(names, ", "), width)))
      local expected = made_at_once(pool, select)
      local one, other, half = assert(pool:execute(select)), assert(pool:execute(select)), assert(pool:execute(select))
      assert.is_true(is_kept(one) and is_kept(other))
      assert.equal(count, #expected)
      assert.same(expected, one.rows)
      local behind = assert(pool:execute(select))
      local first = behind:first()
      assert.same(expected, behind.rows)
      assert.is_true(rawequal(first, behind.rows[1]))
      local seen = {}
      for i, row in other:each() do seen[i] = row end
      assert.same(expected, seen)
      seen = {}
      for row in pool:rows(select) do seen[#seen + 1] = row end
      assert.same(expected, seen)
      for i, row in half:each() do -- its rows are made while it is read
        if i >= 5 then assert.is_true(rawequal(half.rows[i], row) or i == 5) end
        assert.same(expected[i], row)
      end
    end
  end)

  it_in("has columns of any name, however it is read", function(world)
    world:schema [[CREATE TABLE ks.odd (k int, c int, "r1v1" int, "a = v1" int, "r2v1] = %s" int,
      "end" int, PRIMARY KEY (k, c))]]
    local pool = world:pool()
    for c = 1, 19 do
      assert(pool:execute(([[INSERT INTO odd (k, c, "r1v1", "a = v1", "r2v1] = %%s", "end")
        VALUES (1, %d, %d, %d, %d, %d)]]):format(c, c + 100, c + 200, c + 300, c + 400)))
    end
    local select = assert(pool:prepare [[SELECT c, "r1v1", "a = v1", "r2v1] = %s", "end" FROM odd WHERE k = 1]])
    local result = assert(pool:execute(select))
    assert.is_true(is_kept(result))
    local function expected(c)
      return { c = c, r1v1 = c + 100, ["a = v1"] = c + 200, ["r2v1] = %s"] = c + 300, ["end"] = c + 400 }
    end
    for i, row in result:each() do assert.same(expected(i), row) end
    for i, row in ipairs(result.rows) do assert.same(expected(i), row) end
    assert.equal(19, #result.rows)
  end)

  it_in("has columns of one name under their places, however it is read", function(world)
    local pool = filled(world, 9)
    local select = assert(pool:prepare "SELECT c AS x, v AS x FROM p WHERE k = 1")
    local result = assert(pool:execute(select))
    assert.is_true(is_kept(result))
    for i, row in result:each() do assert.same({ x = i, [2] = "value " .. i }, row) end
    for i, row in ipairs(result.rows) do assert.same({ x = i, [2] = "value " .. i }, row) end
  end)

  it_in("is counted, read row by row and as a list when its rows are few, too", function(world)
    local pool, select = filled(world, 3)
    local result = assert(pool:execute(select))
    assert.equal(3, result.count)
    local seen = 0
    for i, row in result:each() do
      seen = seen + 1
      assert.is_true(rawequal(result.rows[i], row) and rawequal(result:row(i), row))
    end
    assert.equal(3, seen)
    local none = assert(pool:execute "SELECT c FROM p WHERE k = 9")
    assert.same({ 0, 0 }, { none.count, #none.rows })
    assert.is_nil(none:row(1))
    local void = assert(pool:execute "INSERT INTO p (k, c) VALUES (1, 1)")
    assert.same({ 0, 0 }, { void.count, #void.rows })
    for _ in void:each() do error "a row of nothing" end
  end)

  it_in("is cjson's and table's as ever", function(world)
    local pool, select = filled(world, 12)
    local json = require "cjson"
    local rows = assert(pool:execute(select)).rows
    assert.same(made_at_once(pool, select), json.decode(json.encode(rows)))
    table.sort(rows, function(a, b) return a.c > b.c end)
    assert.equal(12, rows[1].c)
    assert.equal(12, #{ unpack(rows) })
    assert.equal("table", type(rows))
  end)

  it_in("outlives its pool, its statement and its table", function(world)
    local results, expected = {}
    do
      local pool, select = filled(world, 30)
      expected = made_at_once(pool, select)
      for i = 1, 4 do results[i] = assert(pool:execute(select)) end
      results[1]:first()
      world:schema("DROP TABLE ks.p", "CREATE TABLE ks.p (k int, c int, v int, id uuid, PRIMARY KEY (k, c))")
      assert(pool:execute "INSERT INTO p (k, c, v) VALUES (1, 1, 1)")
      world:eventually("the statement is another one", function()
        local result = pool:execute(select)
        return result and result:first() and result:first().v == 1
      end)
      assert.same(expected, results[1].rows)
      pool:close()
      assert.same(expected, results[2].rows)
      for i = #world.pools, 1, -1 do world.pools[i] = nil end
    end
    collect()
    assert.equal("id", results[3].columns[3].name)
    assert.same(expected[7], results[3]:row(7))
    assert.same(expected, results[3].rows)
    local rows = results[4].rows
    results[4] = nil
    collect()
    assert.same(expected, rows)
  end)

  it_in("gives its bytes up with its last mention, or when all of its rows are made", function(world)
    local pool, select = filled(world, 20)
    local held = setmetatable({}, { __mode = "k" })
    local result = assert(pool:execute(select))
    held[rawget(result, "_page")] = true
    collect()
    assert.truthy(next(held))
    local rows = result.rows
    collect()
    assert.is_nil(next(held))
    assert.equal(20, #rows)
    result = assert(pool:execute(select))
    held[rawget(result, "_page")] = true
    local row = result:row(3)
    result = nil
    collect()
    assert.is_nil(next(held))
    assert.equal(3, row.c)
    assert.is_nil(result)
  end)

  it_in("takes little more memory than its bytes", function(world)
    world:schema "CREATE TABLE ks.wide (k int, c int, v text, PRIMARY KEY (k, c))"
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO wide (k, c, v) VALUES (1, ?, ?)")
    for c = 1, 100 do assert(pool:execute(insert, { c, ("x"):rep(120) .. c })) end
    local select = assert(pool:prepare "SELECT c, v FROM wide WHERE k = 1")
    assert(pool:execute(select)) -- its shape is made
    local kept = {}
    local bytes = 100 * (8 + 4 + 122)
    collect()
    local before = collectgarbage "count"
    for i = 1, 10 do kept[i] = assert(pool:execute(select)) end
    collect()
    local each = (collectgarbage "count" - before) * 1024 / 10
    assert.is_true(each < 1.3 * bytes, each .. " for " .. bytes)
    assert.equal(100, kept[10].count)
  end)

  it_in("is read whatever is collected in between, and from a finalizer in the middle", function(world)
    local pool, select = filled(world, 24)
    world:schema "CREATE TABLE ks.digits (k int, c int, d decimal, l list<varint>, PRIMARY KEY (k, c))"
    local insert = assert(pool:prepare "INSERT INTO digits (k, c, d, l) VALUES (1, ?, ?, ?)")
    for c = 1, 24 do assert(pool:execute(insert, { c, c .. "." .. c, { "1" .. c, "2" .. c } })) end
    local digits = assert(pool:prepare "SELECT * FROM digits WHERE k = 1")
    local expected, expected_digits = made_at_once(pool, select), made_at_once(pool, digits)
    local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", 1000000)
    local ok, why = pcall(function()
      local other = assert(pool:execute(digits))
      local read = 0
      local function plant()
        getmetatable(newproxy(true)).__gc = function()
          read = read + 1
          assert(other:row(read % 24 + 1).d == expected_digits[read % 24 + 1].d)
          if read < 200 then plant() end
        end
      end
      for _ = 1, 5 do
        plant()
        assert.same(expected, assert(pool:execute(select)).rows)
        assert.same(expected_digits, assert(pool:execute(digits)).rows)
        for i, row in assert(pool:execute(digits)):each() do assert.same(expected_digits[i], row) end
      end
      read = 1000
    end)
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    assert(ok, why)
  end)

  it_in("has columns of one name, or more than one expression makes, as few rows have them", function(world)
    local names, marks, values = {}, {}, {}
    for i = 1, 130 do names[i], marks[i], values[i] = "c" .. i .. " int", "c" .. i, tostring(i) end
    world:schema("CREATE TABLE ks.m (k int, c int, " .. table.concat(names, ", ") .. ", PRIMARY KEY (k, c))")
    local pool = world:pool()
    for c = 1, 9 do
      assert(pool:execute(("INSERT INTO m (k, c, %s) VALUES (1, %d, %s)"):format(table.concat(marks, ", "), c,
        table.concat(values, ", "))))
    end
    for _, cql in ipairs { "SELECT * FROM m", "SELECT c AS x, c1 AS x, c2 FROM m", [[SELECT c AS "a] = '\" FROM m]] } do
      local result = assert(pool:execute(cql))
      assert.is_true(is_kept(result))
      assert.same(made_at_once(pool, cql), result.rows)
    end
  end)
end)

describe("the rows of an iterator", function()
  it_in("are tables of their own, made one by one", function(world)
    local pool, select = filled(world, 50)
    local expected, list = made_at_once(pool, select), {}
    for row in pool:rows(select, nil, { fetchSize = 20 }) do list[#list + 1] = row end
    assert.same(expected, list)
  end)
end)

describe("a kept answer", function()
  it_in("is the error that it always was when one of its values is wrong", function(world)
    local pool = world:pool { protocolVersion = 4 }
    world:waitUp(pool)
    local function answer(kind, values, count)
      local body = hex.of("00000002 00000001 00000001 0002 'ks' 0001 't' 0001 'v'" .. kind) ..
        string.char(0, 0, 0, count) .. values
      world.cluster:rule { statement = "SELECT wrong", raw = "\132\0\0\0\8\0\0" ..
        string.char(math.floor(#body / 256), #body % 256) .. body }
      local result, err = pool:execute "SELECT wrong FROM system.local"
      world.cluster:clearRules()
      return result, err
    end
    local int, list = hex.of "00000004 00000007", hex.of "0000000c 00000001 00000004 00000007"
    local result = assert(answer("0009", int:rep(20), 20))
    assert.is_true(is_kept(result))
    assert.equal(20, #result.rows)
    assert.same({ 7 }, assert(answer("0020 0009", list:rep(20), 20)):row(20).v)
    for _, case in ipairs {
      { "0009", int:rep(19) .. hex.of "00000003 000007", "column v: 3 bytes are no int" },
      { "0009", int:rep(19), "the answer ends inside of row 20" },
      { "0009", int:rep(19) .. hex.of "00000100 07", "the answer ends inside of row 20" },
      { "0020 0009", list:rep(19) .. hex.of "00000004 00000001", "column v: 4 bytes are no list" },
      { "0020 0009", list:rep(19) .. hex.of "0000000b 00000001 00000003 000007", "column v: 3 bytes are no int" },
    } do
      local _, err = answer(case[1], case[2], 20)
      assert.same({ "PROTOCOL_ERROR", case[3] }, { err.code, err.message })
    end
  end)

  it_in("has the values that few rows have, whatever they are", function(world)
    world:schema([[CREATE TABLE ks.a (k int, c int, a text, b list<int>, m map<text, uuid>, s set<bigint>, e timestamp,
      f inet, g varint, h decimal, i duration, j boolean, l double, n blob, o tuple<int, text>, q bigint, t date,
      PRIMARY KEY (k, c))]])
    local pool = world:pool()
    local insert = assert(pool:prepare([[INSERT INTO a (k, c, a, b, m, s, e, f, g, h, i, j, l, n, o, q, t)
      VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)]]))
    local r = random.new(7)
    local function maybe(value)
      if r.chance(4) then return moonpool.null end
      return value
    end
    for c = 1, 60 do
      assert(pool:execute(insert, { c, maybe(("é"):rep(r.below(30))), maybe { r.below(9), r.below(9) },
        maybe { x = moonpool.uuid() }, maybe { 1, r.below(2 ^ 31) }, maybe(r.below(2 ^ 31) * 1000),
        maybe(r.pick { "10.0.0.1", "::1" }), maybe("-" .. 1 + r.below(2 ^ 31) .. "12345678901234567890"), maybe "0.001",
        maybe { months = 1, days = r.below(30), nanoseconds = 5 }, maybe(r.chance(2)), maybe(r.below(1000) / 7),
        maybe(("\0\255"):rep(r.below(40))), maybe { r.below(5), "part" },
        maybe(r.pick { 9223372036854775807LL, 5, -9007199254740993LL }), maybe "2024-02-29" }))
    end
    local select = assert(pool:prepare "SELECT * FROM a WHERE k = 1")
    local result = assert(pool:execute(select))
    assert.is_true(is_kept(result))
    assert.same(made_at_once(pool, select), result.rows)
  end)
end)
