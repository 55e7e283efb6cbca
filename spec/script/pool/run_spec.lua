-- SPDX-License-Identifier: Apache-2.0
-- pool:run(statement, ...) is pool:execute(statement, { ... }) without the table, and an answer of one row becomes a
-- result by another way than one of several. Nobody may notice either.
local moonpool = require "moonpool"
local random = require "spec.hunt.random"
local it_in = require("spec.support.world").inside(it)

local COLUMNS = {
  a = "int", b = "text", c = "bigint", d = "double", e = "boolean", f = "uuid", g = "list<int>", h = "varint",
}
local NAMES = { "a", "b", "c", "d", "e", "f", "g", "h" }

local function prepared(world)
  local fields = {}
  for _, name in ipairs(NAMES) do fields[#fields + 1] = name .. " " .. COLUMNS[name] end
  world:schema("CREATE TABLE ks.r (k int PRIMARY KEY, " .. table.concat(fields, ", ") .. ")")
  local pool = world:pool()
  local statements = {}
  for count = 1, #NAMES - 1 do
    local names = table.concat(NAMES, ", ", 1, count)
    statements[count] = {
      insert = assert(pool:prepare(("INSERT INTO r (k, %s) VALUES (?%s)"):format(names, (", ?"):rep(count)))),
      select = assert(pool:prepare(("SELECT %s FROM r WHERE k = ?"):format(names))),
    }
  end
  return pool, statements
end

local FITTING = {
  a = { 7, -1, 2 ^ 31 - 1 }, b = { "x", "", "7" }, c = { 9, 9007199254740993LL, "12" }, d = { 1.5, 0, -1e300 },
  e = { true, false }, f = { "123e4567-e89b-12d3-a456-426614174000" }, g = { { 1, 2 }, {} }, h = { "123", 5 },
}
local STRANGE = { moonpool.null, moonpool.unset, "x", 1.5, 2 ^ 60, {}, { 1 }, true, function() end, print, 1LL, false }

local function values_for(r, count)
  local list = { r.below(4) }
  for i = 1, count do
    list[i + 1] = r.chance(3) and r.pick(STRANGE) or r.pick(FITTING[NAMES[i]])
  end
  if r.chance(8) then list[#list] = nil end
  if r.chance(8) and #list < 8 then list[#list + 1] = r.pick(STRANGE) end
  if r.chance(8) then list[r.below(#list) + 1] = nil end
  return list, #list
end

local function told(result, err)
  if not result then return err.code .. ": " .. err.message end
  return { result.rows, result.count, result.wasApplied, result.columns, result:first() == result.rows[1] }
end

describe("pool:run", function()
  it_in("does what execute does with the same values in a table", function(world)
    local pool, statements = prepared(world)
    local r = random.new(20)
    for _ = 1, 400 do
      local count = 1 + r.below(#statements)
      local list = values_for(r, count)
      local statement = statements[count].insert
      if list[1] ~= nil then
        assert(pool:execute("DELETE FROM r WHERE k = ?", { list[1] }))
        local by_table = told(pool:execute(statement, list))
        local read = { told(pool:execute(statements[count].select, { list[1] })) }
        assert(pool:execute("DELETE FROM r WHERE k = ?", { list[1] }))
        assert.same(by_table, told(pool:run(statement, unpack(list, 1, 8))))
        assert.same(read, { told(pool:run(statements[count].select, list[1])) })
      end
    end
  end)

  it_in("and execute without options does what it does with some that say nothing", function(world)
    local pool, statements = prepared(world)
    local plain = assert(pool:prepare "SELECT b FROM r WHERE k = 1")
    local r = random.new(21)
    local function asked(...)
      local ok, result, err = pcall(pool.execute, pool, ...)
      if not ok then return (result:gsub("^.-:%d+: ", "")) end
      return told(result, err)
    end
    for _ = 1, 400 do
      local count = 1 + r.below(#statements)
      local list = values_for(r, count)
      if r.chance(6) then list[r.pick { 0, -1, 1.5, "a", "k", 30 }] = r.pick(STRANGE) end
      if r.chance(6) then list = r.pick { {}, 5, "x", true, moonpool.null, { k = 1 }, { k = 1, a = 2 }, { nil, 1 } } end
      local statement = r.chance(8) and plain or statements[count][r.chance(2) and "insert" or "select"]
      assert.same(asked(statement, list, {}), asked(statement, list))
    end
    for _, given in ipairs { 5, "x", true, moonpool.null, {}, { 1 } } do
      assert.same(asked(plain, given, {}), asked(plain, given))
    end
    assert.same(asked(plain, nil, {}), asked(plain))
  end)

  it_in("takes texts, and statements without values", function(world)
    local pool = prepared(world)
    assert(pool:run("INSERT INTO r (k, b) VALUES (?, ?)", 1, "one"))
    assert.same({ b = "one" }, pool:run("SELECT b FROM r WHERE k = ?", 1):first())
    assert.same({ b = "one" }, pool:run("SELECT b FROM r WHERE k = 1"):first())
    assert.same({ b = "one" }, pool:run(assert(pool:prepare "SELECT b FROM r WHERE k = 1")):first())
    local _, err = pool:run(assert(pool:prepare "SELECT b FROM r WHERE k = 1"), 1)
    assert.equal("INVALID_ARGUMENT", err.code)
  end)

  it_in("makes a null of a nil that another value follows, and of no other", function(world)
    local pool, statements = prepared(world)
    assert(pool:run(statements[2].insert, 1, nil, "one"))
    assert.same({ b = "one" }, pool:run(statements[2].select, 1):first())
    for _, call in ipairs { { 1, 2, nil }, { 1, nil, nil }, {} } do
      local result, err = pool:run(statements[2].insert, call[1], call[2], call[3])
      assert.is_nil(result)
      assert.equal("INVALID_ARGUMENT", err.code)
    end
    local _, err = pool:run(statements[2].select, nil)
    assert.matches("none were given", err.message)
  end)

  it_in("refuses more values than it takes, and wrong arguments where they were written", function(world)
    local pool, statements = prepared(world)
    local select = statements[1].select
    local ok, why = pcall(function() pool:run(select, 1, 2, 3, 4, 5, 6, 7, 8, 9) end)
    assert.is_false(ok)
    assert.matches("run_spec.lua:%d+: 'run' takes at most eight values", why)
    ok, why = pcall(function() local result = pool:run(nil, 1) return result end)
    assert.is_false(ok)
    assert.matches("statement: a string or a prepared statement expected", why)
    ok, why = pcall(function() local result = pool.run(select, 1) return result end)
    assert.is_false(ok)
    assert.matches("a pool expected", why)
    ok, why = pcall(function() return pool:run(assert(world:pool():prepare "SELECT b FROM r WHERE k = ?"), 1) end)
    assert.is_false(ok)
    assert.matches("another pool", why)
  end)

  it_in("has the statement's options and the pool's defaults", function(world)
    prepared(world)
    local pool = world:pool { defaults = { consistency = "ALL" } }
    local select = assert(pool:prepare("SELECT a FROM r WHERE k = ?", { traceQuery = true }))
    local result = assert(pool:run(select, 1))
    assert.is_string(result.info.traceId)
    local late = assert(pool:prepare("SELECT a, b FROM r WHERE k = ?", { timeout = 50 }))
    world.cluster:pause(3)
    local none, err = pool:run(late, 1)
    assert.is_nil(none)
    assert.equal("TIMEOUT", err.code)
    world.cluster:resume(3)
  end)

  it_in("says that the pool is closed, and asks a statement that is doubted again", function(world)
    local pool, statements = prepared(world)
    assert(pool:run(statements[1].insert, 1, 5))
    local admin = world:pool()
    assert(admin:execute "DROP TABLE ks.r")
    assert(admin:execute "CREATE TABLE ks.r (k text PRIMARY KEY, a text)")
    moonpool.sleep(5000)
    assert(pool:run(statements[1].insert, "one", "five"))
    assert.same({ a = "five" }, pool:run(statements[1].select, "one"):first())
    assert(pool:close())
    local result, err = pool:run(statements[1].insert, "one", "five")
    assert.is_nil(result)
    assert.equal("CLOSED", err.code)
  end)
end)

describe("an answer of one row", function()
  it_in("is the same whether it has few columns or many, one row or two", function(world)
    local names, values = { "k", "c" }, { "1", "%d" }
    for i = 1, 12 do names[i + 2], values[i + 2] = "v" .. i, i % 3 == 0 and "null" or tostring(i) end
    local columns = {}
    for i = 1, 12 do columns[i] = "v" .. i .. " int" end
    world:schema("CREATE TABLE ks.w (k int, c int, " .. table.concat(columns, ", ") .. ", PRIMARY KEY (k, c))")
    local pool = world:pool()
    for c = 1, 2 do
      assert(pool:execute(("INSERT INTO w (%s) VALUES (%s)"):format(table.concat(names, ", "),
        table.concat(values, ", "):format(c))))
    end
    for count = 1, 12 do
      local wanted = table.concat(names, ", ", 3, count + 2)
      local one = assert(pool:prepare("SELECT " .. wanted .. " FROM w WHERE k = 1 AND c = 1"))
      local two = assert(pool:prepare("SELECT " .. wanted .. " FROM w WHERE k = 1"))
      for _ = 1, 3 do -- by text of an answer's first sight, then by what was made for it
        local single, both = assert(pool:execute(one)), assert(pool:execute(two))
        assert.same(both.rows[1], single.rows[1])
        assert.equal(1, #single.rows)
        assert.equal(1, single.count)
        assert.is_true(rawequal(single:first(), single.rows[1]))
        assert.same(both.columns, single.columns)
        assert.matches("^127%.0%.0%.%d:9042$", single.info.host)
        assert.is_true(single.info.attempts >= 1)
        assert.same({}, single.info.warnings)
        assert.is_true(single.wasApplied)
        assert.is_nil(single.pageState)
      end
    end
  end)

  it_in("has columns of one name under their places", function(world)
    world:schema "CREATE TABLE ks.d (k int PRIMARY KEY, a int, b int)"
    local pool = world:pool()
    assert(pool:execute "INSERT INTO d (k, a, b) VALUES (1, 2, 3)")
    local select = assert(pool:prepare "SELECT a AS x, b AS x FROM d WHERE k = ?")
    for _ = 1, 3 do assert.same({ x = 2, [2] = 3 }, pool:run(select, 1):first()) end
  end)

  it_in("tells whether a condition held, and is not marked as a page", function(world)
    world:schema "CREATE TABLE ks.d (k int PRIMARY KEY, a int)"
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO d (k, a) VALUES (?, ?) IF NOT EXISTS")
    assert.is_true(pool:run(insert, 1, 2).wasApplied)
    for _ = 1, 3 do assert.is_false(pool:run(insert, 1, 3).wasApplied) end
  end)

  it_in("belongs to itself: what somebody does to it is seen by nobody else", function(world)
    world:schema "CREATE TABLE ks.d (k int PRIMARY KEY, a int)"
    local pool = world:pool()
    assert(pool:execute "INSERT INTO d (k, a) VALUES (1, 2)")
    local select = assert(pool:prepare "SELECT a, k FROM d WHERE k = ?")
    for _ = 1, 3 do
      local result = assert(pool:run(select, 1))
      assert.same({ { a = 2, k = 1 } }, result.rows)
      result.rows[1].a, result.rows[2], result.extra, result.rows[1].more = 9, {}, true, 1
    end
  end)
end)
