-- SPDX-License-Identifier: Apache-2.0
-- Aggregates and the bounds of timeuuids of the simulated Cassandra.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

describe("aggregates of the simulated cluster", function()
  it_in("are one row out of all", function(world)
    world:schema "CREATE TABLE ks.t (k int, c int, b bigint, d double, f float, s text, i tinyint, PRIMARY KEY (k, c))"
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO t (k, c, b, d, f, s, i) VALUES (?, ?, ?, ?, ?, ?, ?)")
    for c = 1, 5 do
      assert(pool:execute(insert, { c % 2, c, -c * 10, c / 2, 0.25, "s" .. c, c == 5 and moonpool.null or -c }))
    end
    local function row(what, where)
      local rows = assert(pool:execute("SELECT " .. what .. " FROM t" .. (where or ""))).rows
      assert.equal(1, #rows)
      return rows[1]
    end
    assert.same({ count = 5 }, row "count(*)")
    assert.same({ ["system.min(c)"] = 1, ["system.max(c)"] = 5, n = 5 }, row "min(c), max(c), count(1) AS n")
    assert.same({ a = -150, b = -30, c = 7.5, d = 1.5, e = 1.25, f = 0.25 },
      row "sum(b) AS a, avg(b) AS b, sum(d) AS c, avg(d) AS d, sum(f) AS e, avg(f) AS f")
    assert.same({ a = -50, b = "s5", c = -10, d = -2, e = 4 },
      row "min(b) AS a, max(s) AS b, sum(i) AS c, avg(i) AS d, count(i) AS e")
    assert.same({ a = 2, n = 2 }, row("min(c) AS a, count(*) AS n", " WHERE k = 0"))
    assert.same({ b = 0, c = 0, n = 0 }, row("min(c) AS a, sum(c) AS b, avg(d) AS c, count(*) AS n", " WHERE k = 7"))
    assert.equal("bigint", assert(pool:execute "SELECT max(b) FROM t").columns[1].type)
    for cql, why in pairs { ["SELECT sum(s) FROM t"] =
      "Invalid call to function sum, none of its type signatures match", ["SELECT max(*) FROM t"] = "expected a name",
      ["SELECT max(nix) FROM t"] = "nix" } do
      local result, err = pool:execute(cql)
      assert.is_nil(result)
      assert.matches(why, err.message, 1, true)
    end
  end)

  -- What a real 5.0.9 answers.
  it_in("add up and share out to the last digit", function(world)
    world:schema "CREATE TABLE ks.t (k int, c int, v varint, d decimal, b bigint, PRIMARY KEY (k, c))"
    local pool = world:pool()
    local function all(k, ...)
      for c, number in ipairs { ... } do
        local values = ("%d, %d, %s, %s, %s"):format(k, c, number[1], number[2], number[3])
        assert(pool:execute("INSERT INTO t (k, c, v, d, b) VALUES (" .. values .. ")"))
      end
      local row = assert(pool:execute("SELECT sum(v), avg(v), sum(d), avg(d), sum(b), avg(b) FROM t WHERE k = ?", { k },
        { prepare = true })):first()
      local out = {}
      for i, name in ipairs { "sum(v)", "avg(v)", "sum(d)", "avg(d)", "sum(b)", "avg(b)" } do
        out[i] = (tostring(row["system." .. name]):gsub("LL$", ""))
      end
      return table.concat(out, " ")
    end
    local large = ("9"):rep(400)
    assert.equal("0 0 0 0 0 0", all(1))
    assert.equal("-7 -3 3.000 1.500 -2 -1", all(2, { -3, "1", -3 }, { -4, "2.000", 1 }))
    assert.equal("1" .. ("0"):rep(400) .. " " .. ("3"):rep(400) .. " 1000.5 333.5 " .. "9223372036854775806 " ..
      "3074457345618258602", all(3, { large, "1E+3", "9223372036854775807" }, { 1, "0.5", "9223372036854775807" },
      { 0, "0.0", "-9223372036854775808" }))
    assert.equal("0 0 0.00 0.00 -2 9223372036854775807", all(4, { large, "-1.25", "9223372036854775807" },
      { "-" .. large, "1.25", "9223372036854775807" }))
    local _, err = pool:execute("INSERT INTO t (k, c, d) VALUES (5, 1, ?)", { "1E+10000" })
    assert.is_nil(err)
    _, err = pool:execute "SELECT sum(d) FROM t WHERE k = 5"
    assert.matches("more than 9000 digits", err.message, 1, true)
    assert(pool:execute "SELECT max(d) FROM t WHERE k = 5")
  end)
end)

describe("minTimeuuid and maxTimeuuid of the simulated cluster", function()
  it_in("are the bounds of a time", function(world)
    world:schema "CREATE TABLE ks.t (k int, t timeuuid, v int, PRIMARY KEY (k, t))"
    local pool = world:pool()
    assert(pool:execute "INSERT INTO t (k, t, v) VALUES (1, d0a3cbd4-b1c4-11ee-a506-0242ac120002, 1)") -- 2024-01-13
    assert(pool:execute "INSERT INTO t (k, t, v) VALUES (1, 50554d6e-29bb-11e5-b345-feff819cdc9f, 2)") -- 2015
    local function between(from, to)
      local out = {}
      for i, row in ipairs(assert(pool:execute(
        "SELECT v FROM t WHERE k = 1 AND t >= minTimeuuid(?) AND t <= maxTimeuuid(?)", { from, to })).rows) do
        out[i] = row.v
      end
      return out
    end
    assert.same({ 1 }, between(1700000000000, 1705140000000))
    assert.same({}, between(1700000000000, 1700000000001))
    assert.same({ 1 }, (function()
      local out = {}
      for i, row in ipairs(assert(pool:execute("SELECT v FROM t WHERE k = 1 AND t > minTimeuuid('2024-01-01') " ..
        "AND t < maxTimeuuid('2024-02-01')")).rows) do out[i] = row.v end
      return out
    end)())
  end)
end)
