-- SPDX-License-Identifier: Apache-2.0
-- Static columns of the simulated Cassandra: one value for all rows of a partition.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local function refused(pool, cql, why)
  local result, err = pool:execute(cql)
  assert.is_nil(result, cql)
  assert.matches(why, err.message, 1, true)
end

local function all(pool, cql, parameters, options) return assert(pool:execute(cql, parameters, options)).rows end

describe("a static column of the simulated cluster", function()
  local function table_of(world)
    world:schema "CREATE TABLE ks.t (k int, c int, s text STATIC, l list<int> STATIC, v int, PRIMARY KEY (k, c))"
    return world:pool()
  end

  it_in("is one value for all rows of a partition", function(world)
    local pool = table_of(world)
    for c = 1, 3 do assert(pool:execute("INSERT INTO t (k, c, v) VALUES (1, ?, ?)", { c, c * 10 })) end
    assert(pool:execute "INSERT INTO t (k, c, s, v) VALUES (1, 4, 'x', 40)")
    assert(pool:execute "INSERT INTO t (k, c, v) VALUES (2, 1, 1)")
    assert(pool:execute "UPDATE t SET l = [1, 2] WHERE k = 1")
    local rows = all(pool, "SELECT * FROM t WHERE k = 1")
    assert.equal(4, #rows)
    for c = 1, 4 do assert.same({ k = 1, c = c, s = "x", l = { 1, 2 }, v = c * 10 }, rows[c]) end
    assert.same({ { k = 2, c = 1, v = 1 } }, all(pool, "SELECT * FROM t WHERE k = 2"))
    assert(pool:execute("UPDATE t SET s = ?, v = 11 WHERE k = 1 AND c = 1", { "y" }))
    assert(pool:execute "UPDATE t SET l = l + [3], l[0] = 9 WHERE k = 1")
    assert.same({ { s = "y", v = 40 } }, all(pool, "SELECT s, v FROM t WHERE k = 1 AND c = 4"))
    assert.same({ 9, 2, 3 }, all(pool, "SELECT l FROM t WHERE k = 1 LIMIT 1")[1].l)
    local names = {}
    for i, column in ipairs(assert(pool:execute "SELECT * FROM t").columns) do names[i] = column.name end
    assert.same({ "k", "c", "l", "s", "v" }, names)
    assert.equal(2, #all(pool, "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'ks' AND " ..
      "kind = 'static' AND position = -1 ALLOW FILTERING"))
  end)

  it_in("is there without any row, and outlives them", function(world)
    local pool = table_of(world)
    assert(pool:execute "INSERT INTO t (k, s) VALUES (1, 'x')")
    assert.same({ { k = 1, s = "x" } }, all(pool, "SELECT * FROM t"))
    assert.same({}, all(pool, "SELECT * FROM t WHERE k = 1 AND c = 1"))
    assert(pool:execute "INSERT INTO t (k, c, v) VALUES (1, 1, 1)")
    assert.same({ { k = 1, c = 1, s = "x", v = 1 } }, all(pool, "SELECT * FROM t"))
    assert(pool:execute "DELETE FROM t WHERE k = 1 AND c = 1")
    assert.same({ { k = 1, s = "x" } }, all(pool, "SELECT * FROM t"))
    assert(pool:execute "DELETE FROM t WHERE k = 1 AND c > 0")
    assert.same({ { k = 1, s = "x" } }, all(pool, "SELECT DISTINCT k, s FROM t"))
    assert(pool:execute "DELETE s FROM t WHERE k = 1")
    assert.same({}, all(pool, "SELECT * FROM t"))
    assert(pool:execute "INSERT INTO t (k, s) VALUES (1, 'x')")
    assert(pool:execute "DELETE FROM t WHERE k = 1")
    assert.same({}, all(pool, "SELECT * FROM t"))
  end)

  it_in("is paged over as the rows are", function(world)
    local pool = table_of(world)
    local expected, seen = 0, {}
    for k = 1, 9 do
      assert(pool:execute("INSERT INTO t (k, s) VALUES (?, ?)", { k, "s" .. k }))
      for c = 1, k % 3 do assert(pool:execute("INSERT INTO t (k, c, v) VALUES (?, ?, 0)", { k, c })) end
      expected = expected + math.max(1, k % 3)
    end
    for row in pool:rows("SELECT * FROM t", nil, { fetchSize = 2 }) do
      assert.equal("s" .. row.k, row.s)
      seen[#seen + 1] = row
    end
    assert.equal(expected, #seen)
    assert.equal(9, #all(pool, "SELECT DISTINCT k, s FROM t"))
  end)

  it_in("may be a condition, and be changed on one", function(world)
    local pool = table_of(world)
    local function applied(cql) return assert(pool:execute(cql)).wasApplied end
    assert.is_false(applied "UPDATE t SET s = 'y' WHERE k = 1 IF s = 'x'")
    assert.is_true(applied "UPDATE t SET s = 'x' WHERE k = 1 IF s = null")
    assert.is_true(applied "UPDATE t SET s = 'y' WHERE k = 1 IF s = 'x'")
    assert.is_true(applied "INSERT INTO t (k, c, v) VALUES (1, 1, 1) IF NOT EXISTS")
    assert.is_true(applied "UPDATE t SET v = 2 WHERE k = 1 AND c = 1 IF s = 'y'")
    assert.is_false(applied "UPDATE t SET v = 3 WHERE k = 1 AND c = 1 IF s = 'z'")
    assert.same({ { s = "y", v = 2 } }, all(pool, "SELECT s, v FROM t"))
  end)

  it_in("comes to every replica, also to one that was down", function(world)
    local pool = table_of(world)
    world.cluster:kill(1)
    assert(pool:execute("INSERT INTO t (k, s) VALUES (1, 'x')", nil, { consistency = "QUORUM", host = "127.0.0.2" }))
    world.cluster:start(1)
    moonpool.sleep(30000)
    assert.same({ { s = "x" } }, all(pool, "SELECT s FROM t WHERE k = 1", nil, { host = "127.0.0.1" }))
  end)

  it_in("is refused where it is none", function(world)
    local pool = table_of(world)
    refused(pool, "CREATE TABLE u (k int PRIMARY KEY, s int STATIC)", "at least one clustering column")
    refused(pool, "CREATE TABLE u (k int STATIC, c int, PRIMARY KEY (k, c))", "cannot be part of the PRIMARY KEY")
    refused(pool, "UPDATE t SET s = 'x' WHERE k = 1 AND c = 1", "modifies only static columns")
    refused(pool, "DELETE s FROM t WHERE k = 1 AND c = 1", "modifies only static columns")
    refused(pool, "UPDATE t SET s = 'x', v = 1 WHERE k = 1", "Some clustering keys are missing: c")
    refused(pool, "INSERT INTO t (k, s, v) VALUES (1, 'x', 1)", "Some clustering keys are missing: c")
    refused(pool, "SELECT DISTINCT k, v FROM t", "static columns")
    assert(pool:execute "ALTER TABLE t ADD more int STATIC")
    assert(pool:execute "UPDATE t SET more = 5 WHERE k = 1")
    assert.same({ { more = 5 } }, all(pool, "SELECT more FROM t"))
  end)
end)
