-- SPDX-License-Identifier: Apache-2.0
-- pool:schema(): what it says, when it is read, and what it survives.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local function statements(world)
  world:schema "CREATE TYPE ks.addr (street text, zip int)"
  world:schema [[CREATE TABLE ks.t (k1 int, k2 text, c1 int, c2 text, s int STATIC, z frozen<addr>, a list<int>,
    PRIMARY KEY ((k1, k2), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC) AND comment = 'hello']]
end

-- How many questions about system_schema the nodes were asked since the last time.
local function counted(pool)
  local before = pool:getStats().requests
  return function()
    local now = pool:getStats().requests
    local asked = now - before
    before = now
    return asked
  end
end

describe("pool:schema()", function()
  it_in("tells keyspaces, tables, columns, keys and types", function(world)
    statements(world)
    local pool = world:pool()
    local seen = assert(pool:schema())
    assert.equal(36, #seen.version)
    local ks = seen.keyspaces.ks
    assert.equal(ks, assert(pool:schema "ks"))
    assert.equal("ks", ks.name)
    assert.is_true(ks.durableWrites)
    assert.matches("Strategy$", ks.replication.class)
    assert.same({ { name = "street", type = "text" }, { name = "zip", type = "int" } }, ks.types.addr.fields)
    local t = ks.tables.t
    assert.same({ "k1", "k2", "c1", "c2", "s", "a", "z" }, t.order)
    assert.same({ "k1", "k2" }, t.partitionKey)
    assert.same({ "c1", "c2" }, t.clusteringKey)
    assert.same({ name = "c1", type = "int", kind = "clustering", position = 0, order = "desc" }, t.columns.c1)
    assert.same({ name = "k2", type = "text", kind = "partitionKey", position = 1 }, t.columns.k2)
    assert.same({ name = "s", type = "int", kind = "static", position = -1 }, t.columns.s)
    assert.same({ name = "z", type = "frozen<addr>", kind = "regular", position = -1 }, t.columns.z)
    assert.equal("hello", t.options.comment)
    assert.equal(0, t.options.defaultTimeToLive)
    assert.same({}, t.indexes)
    assert.is_truthy(seen.keyspaces.system.tables["local"])
    assert.same({}, seen.missing)
    local none, err = pool:schema "nowhere"
    assert.is_nil(none)
    assert.equal("NOT_FOUND", err.code)
    assert.has_error(function() pool:schema(5) end)
  end)

  it_in("is read once, and a keyspace again when it has changed", function(world)
    statements(world)
    local pool = world:pool()
    local asked = counted(pool)
    local first = assert(pool:schema())
    assert.equal(9, asked())
    assert.equal(first, assert(pool:schema()))
    assert.equal(1, asked()) -- only the version
    world:schema "ALTER TABLE ks.t ADD more int"
    moonpool.sleep(2000)
    asked()
    local second = assert(pool:schema())
    assert.is_nil(first.keyspaces.ks.tables.t.columns.more)
    assert.equal("int", second.keyspaces.ks.tables.t.columns.more.type)
    assert.equal(first.keyspaces.system, second.keyspaces.system) -- not read again
    assert.is_true(first.version ~= second.version)
    world:schema "ALTER TYPE ks.addr ADD country text"
    assert(pool:execute "CREATE TABLE other (k int PRIMARY KEY)")
    moonpool.sleep(2000)
    local third = assert(pool:schema "ks")
    assert.equal(3, #third.types.addr.fields)
    assert.is_truthy(third.tables.other)
    world:schema "DROP KEYSPACE ks"
    moonpool.sleep(2000)
    assert.is_nil(assert(pool:schema()).keyspaces.ks)
  end)

  it_in("is what a node says now, also before an event has come", function(world)
    local pool = world:pool()
    assert(pool:schema())
    for i = 1, 5 do
      world:schema(("CREATE TABLE ks.t%d (k int PRIMARY KEY)"):format(i))
      assert.is_truthy(assert(pool:schema "ks").tables["t" .. i])
    end
  end)

  it_in("is read once for all who ask at the same time", function(world)
    local pool = world:pool()
    local asked, futures = counted(pool), {}
    for i = 1, 20 do futures[i] = moonpool.spawn(function() return pool:schema() end) end
    local seen = assert(moonpool.all(futures))
    assert.equal(9, asked())
    for i = 2, 20 do assert.equal(seen[1], seen[i]) end
  end)

  it_in("is read again when news may have been missed", function(world)
    local pool = world:pool()
    assert(pool:schema())
    local missed = pool:getStats().schemaMissed
    for node = 1, 3 do world.cluster:kill(node) end
    moonpool.sleep(5000)
    world:schema "CREATE TABLE ks.meanwhile (k int PRIMARY KEY)"
    for node = 1, 3 do world.cluster:start(node) end
    moonpool.sleep(120000)
    assert.is_true(pool:getStats().schemaMissed > missed)
    assert.is_truthy(assert(pool:schema "ks").tables.meanwhile)
  end)

  it_in("does without the tables that a server has not or does not permit", function(world)
    statements(world)
    for _, name in ipairs { "types", "views", "indexes", "functions", "aggregates" } do
      world.cluster:rule { statement = "FROM system_schema." .. name,
        error = { code = name == "types" and "UNAUTHORIZED" or "INVALID", message = "no" } }
    end
    local pool = world:pool()
    local seen = assert(pool:schema())
    assert.same({ "types", "views", "indexes", "functions", "aggregates" }, seen.missing)
    assert.is_truthy(seen.keyspaces.ks.tables.t)
    world.cluster:rule { statement = "FROM system_schema.columns", error = { code = "UNAUTHORIZED", message = "no" } }
    world:schema "CREATE TABLE ks.more (k int PRIMARY KEY)"
    local none, err = pool:schema()
    assert.is_nil(none)
    assert.equal("UNAUTHORIZED", err.code)
  end)

  it_in("fails as a request does, and the next one has it", function(world)
    local pool = world:pool()
    for node = 1, 3 do world.cluster:kill(node) end
    local none, err = pool:schema()
    assert.is_nil(none)
    assert.is_truthy(err.code)
    for node = 1, 3 do world.cluster:start(node) end
    moonpool.sleep(120000)
    assert(pool:schema())
  end)

  it_in("composes routing keys", function(world)
    statements(world)
    world:schema "CREATE TABLE ks.one (id bigint PRIMARY KEY)"
    world:schema "CREATE TABLE ks.typed (id frozen<addr> PRIMARY KEY)"
    local pool = world:pool()
    local tables = assert(pool:schema "ks").tables
    assert.equal(moonpool.encode("bigint", 5), tables.one:routingKey { 5 })
    assert.equal("\0\4\0\0\0\1\0\0\1a\0", tables.t:routingKey { 1, "a" })
    assert.equal("\0\4\0\0\0\1\0\0\1a\0", tables.t:routingKey { k2 = "a", k1 = 1 })
    for _, case in ipairs { { tables.t, { 1 }, "INVALID_ARGUMENT", "'k2' of the partition key is missing" },
      { tables.t, { 1, 2 }, "TYPE_MISMATCH", "ks.t: 'k2' of the partition key, text: got number" },
      { tables.one, { 5, 6 }, "INVALID_ARGUMENT", "ks.one: the partition key has 1 column(s), more values were given" },
      { tables.t, { 1, "a", "b" }, "INVALID_ARGUMENT", "more values were given" },
      { tables.typed, { {} }, "UNSUPPORTED", "frozen<addr>" },
      { tables.t, { 1, ("x"):rep(70000) }, "TOO_BIG", "65535" } } do
      local key, err = case[1]:routingKey(case[2])
      assert.is_nil(key)
      assert.equal(case[3], err.code)
      assert.matches(case[4], err.message, 1, true)
    end
    assert.has_error(function() tables.one:routingKey(5) end)
    -- It leads to the replicas.
    local insert = assert(pool:prepare "INSERT INTO one (id) VALUES (?)")
    assert(pool:execute(insert, { 5 }))
    local found = assert(pool:explain { keyspace = "ks", routingKey = tables.one:routingKey { 5 } })
    assert.is_true(found.hasReplicas)
  end)
end)
