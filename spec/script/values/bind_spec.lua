-- SPDX-License-Identifier: Apache-2.0
-- Parameters of a request: what is given, what is missing, and what was never meant.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local CREATE = "CREATE TABLE ks.u (id int PRIMARY KEY, name text, age int)"
local INSERT = "INSERT INTO u (id, name, age) VALUES (?, ?, ?)"
local NAMED = "INSERT INTO u (id, name, age) VALUES (:id, :name, :age)"

-- Runs body(pool, execute) for a prepared statement, for text that is prepared behind the scenes, and for text that is
-- not: the same is right for all. execute(cql, parameters) gives what pool:execute does.
local function each_way(world, body)
  world:schema(CREATE)
  local pool = world:pool()
  assert(pool:execute "INSERT INTO u (id, name, age) VALUES (1, 'ana', 30)")
  local ways = {
    prepared = function(cql, parameters) return pool:execute(assert(pool:prepare(cql)), parameters) end,
    text = function(cql, parameters) return pool:execute(cql, parameters) end,
    ["async text"] = function(cql, parameters) return pool:executeAsync(cql, parameters):wait() end,
    ["not prepared"] = function(cql, parameters) return pool:execute(cql, parameters, { prepare = false }) end,
  }
  for way, execute in pairs(ways) do body(pool, execute, way) end
end

local function row(pool)
  return assert(pool:execute "SELECT name, age FROM u WHERE id = 1"):first()
end

local function refused(why, way, result, err)
  assert.is_nil(result, way)
  assert.equal("INVALID_ARGUMENT", err.code, way)
  assert.matches(why, err.message, 1, true)
  assert.is_false(err.maybeApplied)
end

describe("a nil parameter", function()
  it_in("is a null where its statement has one parameter, or where a later one follows", function(world)
    each_way(world, function(pool, execute, way)
      assert(pool:execute "INSERT INTO u (id, name, age) VALUES (1, 'ana', 30)")
      assert(execute("UPDATE u SET name = ? WHERE id = 1", { nil }))
      assert.same({ age = 30 }, row(pool), way)
      assert(execute("UPDATE u SET name = ?, age = ? WHERE id = 1", { nil, 31 }))
      assert.same({ age = 31 }, row(pool), way)
      assert(execute("UPDATE u SET age = ?, name = ? WHERE id = ?", { nil, nil, 1 }))
      assert.same({}, row(pool), way)
    end)
  end)

  it_in("that is one of several, all nil, is not told from a forgotten one", function(world)
    each_way(world, function(pool, execute, way)
      for _, none in ipairs { {}, { nil, nil, nil }, { n = nil } } do
        refused("3 parameters, all are missing or nil: moonpool.null", way, execute(INSERT, none))
      end
      assert.same({ name = "ana", age = 30 }, row(pool))
    end)
  end)
end)

describe("a list", function()
  it_in("is the same in whatever order its places are walked", function(world)
    each_way(world, function(pool, execute, way)
      local backwards, holed, grown = {}, { 1, 2, 3, 4 }, setmetatable({}, { __len = function() return 9 end })
      backwards[3], backwards[2], backwards[1] = 33, "eve", 1 -- in its hash
      holed[4], holed[2], holed[3] = nil, "eve", 33
      grown[2], grown[1], grown[3] = "eve", 1, 33
      for _, list in ipairs { backwards, holed, grown } do
        assert(pool:execute "INSERT INTO u (id, name, age) VALUES (1, 'ana', 30)")
        assert(execute(INSERT, list))
        assert.same({ name = "eve", age = 33 }, row(pool), way)
      end
      refused("not both", way, execute(INSERT, { 1, "eve", 33, id = 1 }))
      if way ~= "not prepared" then
        refused("3 parameters, 4 were given", way, execute(INSERT, { 1, "eve", 33, 34 }))
      end
    end)
  end)
end)

describe("a forgotten parameter", function()
  it_in("is an error, and nothing is stored", function(world)
    each_way(world, function(pool, execute, way)
      local known = way ~= "not prepared"
      refused(known and "parameters 2 (name), 3 (age) are missing" or "3 parameters, the last one given is 1", way,
        execute(INSERT, { 1 }))
      refused(known and "parameter 3 (age) is missing" or "the last one given is 2", way, execute(INSERT, { 1, "bo" }))
      refused(known and "parameter 3 (age) is missing" or "the last one given is 2", way, execute(INSERT, { 1, "bo",
        nil }))
      assert.same({ name = "ana", age = 30 }, row(pool))
    end)
  end)

  it_in("of a name is named, with what was given instead", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    for _, statement in ipairs { NAMED, INSERT, assert(pool:prepare(NAMED)) } do
      refused("parameter 2 (name) is missing: moonpool.null stores a null, moonpool.unset leaves what is there", nil,
        pool:execute(statement, { id = 1, age = 31 }))
      refused("parameters 2 (name), 3 (age) are missing", nil, pool:execute(statement, { id = 1 }))
      refused("parameter 2 (name) is missing, and there is no parameter 'nmae'", nil,
        pool:execute(statement, { id = 1, nmae = "x", age = 2 }))
      refused("and a boolean is no name", nil, pool:execute(statement, { id = 1, [true] = "x", age = 2 }))
    end
    assert(pool:execute(NAMED, { id = 1, name = moonpool.null, age = 31 }))
    assert(pool:execute(NAMED, { id = 1, name = "a", age = moonpool.unset }))
    assert.same({ name = "a", age = 31 }, row(pool))
  end)

  it_in("is one of many: the message is cut, not the error", function(world)
    local columns, marks = {}, {}
    for i = 1, 60 do columns[i], marks[i] = "a_rather_long_name_of_a_column_" .. i, "?" end
    world:schema("CREATE TABLE ks.wide (k int PRIMARY KEY, " .. table.concat(columns, " int, ") .. " int)")
    local pool = world:pool()
    local insert = assert(pool:prepare(("INSERT INTO wide (k, %s) VALUES (?, %s)"):format(table.concat(columns, ", "),
      table.concat(marks, ", "))))
    refused("parameters 2 (a_rather_long_name_of_a_column_1), 3 (", nil, pool:execute(insert, { 1 }))
    refused("parameters 2 (a_rather_long_name_of_a_column_1), 3 (", nil, pool:execute(insert, { k = 1 }))
    local _, err = pool:execute(insert, { k = 1 })
    assert.matches("%.%.%. are missing: moonpool.null", err.message)
    assert.is_true(#err.message < 256)
  end)
end)

describe("parameters", function()
  it_in("of a statement that has none are refused, also by name", function(world)
    each_way(world, function(_, execute, way)
      local known = way ~= "not prepared"
      assert(execute("SELECT name FROM u", {}))
      if known then
        refused("no parameters, some were given", way, execute("SELECT name FROM u", { id = 1 }))
        refused("has 0 parameters, 1 were given", way, execute("SELECT name FROM u", { 1 }))
      end
    end)
  end)

  it_in("may be a record with more fields than the statement has", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    assert(pool:execute(NAMED, { id = 1, name = "ana", age = 3, email = "x" }))
    assert.same({ name = "ana", age = 3 }, row(pool))
  end)

  it_in("are looked for in the text, not in strings, comments and maps", function(world)
    world:schema(CREATE, "CREATE TABLE ks.m (k int PRIMARY KEY, m map<text, int>)")
    local pool = world:pool()
    local prepares = world.cluster:node(1).prepares
    for _, cql in ipairs { "SELECT name FROM u", "SELECT name FROM u -- ?", "SELECT name FROM u /* :x ? */",
      "INSERT INTO u (id, name) VALUES (1, '? :x')", "INSERT INTO m (k, m) VALUES (1, {'a': 1, 'b' : 2})" } do
      for _, given in ipairs { {}, false } do assert(pool:execute(cql, given or nil)) end
      assert(pool:execute(cql, {}, { prepare = false }))
    end
    assert.equal(prepares, world.cluster:node(1).prepares)
    assert(pool:execute("INSERT INTO m (k, m) VALUES (1, {'a': ?})", { 5 }))
    refused("2 parameters, all are missing", nil, pool:execute("INSERT INTO m (k, m) VALUES (1, {'a': :v, 'b': ?})",
      {}))
  end)

  it_in("that are not prepared are an int where they fit one, a bigint or a double beyond", function(world)
    world:schema "CREATE TABLE ks.n (k int PRIMARY KEY, i int, b bigint, d double)"
    local pool = world:pool()
    local function takes(column, value)
      return (pool:execute(("INSERT INTO ks.n (k, %s) VALUES (1, ?)"):format(column), { value }, { prepare = false }))
    end
    for _, value in ipairs { 0, -1, 2147483647, -2147483648 } do
      assert.truthy(takes("i", value), value)
      assert.is_nil(takes("b", value), value)
      assert.is_nil(takes("d", value), value)
    end
    for _, value in ipairs { 2147483648, -2147483649, 2 ^ 53, -2 ^ 53, 5LL, 2147483647LL } do
      assert.truthy(takes("b", value), tostring(value))
      assert.is_nil(takes("i", value), tostring(value))
    end
    for _, value in ipairs { 0.5, -1e-300, math.huge, -math.huge, 0 / 0 } do
      assert.truthy(takes("d", value), tostring(value))
      assert.is_nil(takes("i", value), tostring(value))
    end
  end)

  it_in("are 65535 at most, and so are the bytes of a name", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local raw = { prepare = false }
    local many, named = {}, {}
    for i = 1, 70000 do many[i], named["p" .. i] = i, i end
    refused("a request has room for 65535 parameters, 70000 were given", nil, pool:execute("SELECT name FROM u", many,
      raw))
    refused("more than 65535 parameters", nil, pool:execute("SELECT name FROM u", named, raw))
    refused("at place 65536", nil, pool:execute("SELECT name FROM u", { [65536] = 1 }, raw))
    refused("a parameter's name has 65536 bytes, 65535 are the most", nil,
      pool:execute("SELECT name FROM u", { [("n"):rep(65536)] = 1 }, raw))
    refused("not both", nil, pool:execute("SELECT name FROM u", { 1, x = 2 }, raw))
    refused("not both", nil, pool:execute("SELECT name FROM u", { x = 2, [true] = 1 }, raw))
    -- The most that fit arrive whole: the server counts them.
    many[65536] = nil
    for i = 65536, 70000 do many[i] = nil end
    local result, err = pool:execute("SELECT name FROM u", many, raw)
    assert.is_nil(result)
    assert.equal("INVALID", err.code)
    assert.matches("65535", err.message)
    assert(pool:execute("SELECT name FROM u WHERE id = :id", { id = 1 }, raw))
  end)

  it_in("that do not fit name their place where there is no type, too", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local _, err = pool:execute(INSERT, { 1, {}, 3 }, { prepare = false })
    assert.equal("TYPE_MISMATCH", err.code)
    assert.matches("parameter 2: got table", err.message, 1, true)
    _, err = pool:execute(NAMED, { id = 1, name = print, age = 3 }, { prepare = false })
    assert.matches("parameter 'name': got function", err.message, 1, true)
  end)
end)
