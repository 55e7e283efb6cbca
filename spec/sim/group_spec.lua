-- SPDX-License-Identifier: Apache-2.0
-- GROUP BY of the simulated Cassandra: what a real one (5.0.9) answers, and random tables against groups made here.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local function rows_of(pool, cql, options)
  local result, err = pool:execute(cql, nil, options)
  if not result then error(cql .. ": " .. tostring(err), 2) end
  local rows = {}
  for page, row in result:each() do
    local cells = {}
    for i, column in ipairs(result.columns) do
      local value = row[column.name]
      cells[i] = value == nil and "null" or value == moonpool.null and "null" or tostring(value)
    end
    rows[page] = table.concat(cells, " ")
  end
  return rows
end

local function filled(world)
  world:schema "CREATE TABLE ks.g (a int, b int, c int, d int, s int static, v int, w text, PRIMARY KEY ((a, b), c, d))"
  local pool = world:pool()
  for _, values in ipairs { "(a, b, c, d, s, v, w) VALUES (1, 1, 1, 1, 7, 10, 'a')",
    "(a, b, c, d, v, w) VALUES (1, 1, 1, 2, 20, 'b')", "(a, b, c, d, v, w) VALUES (1, 1, 2, 1, 30, 'c')",
    "(a, b, c, d, v) VALUES (1, 2, 1, 1, 40)", "(a, b, c, d) VALUES (1, 2, 3, 1)", "(a, b, s) VALUES (9, 9, 99)" } do
    assert(pool:execute("INSERT INTO g " .. values))
  end
  return pool
end

local taken = { -- what follows SELECT, and the rows
  { "a, b, count(*) FROM g GROUP BY a, b", "9 9 1", "1 2 2", "1 1 3" },
  { "a, b, c, count(v), max(v), sum(v) FROM g GROUP BY a, b, c", "9 9 null 0 null 0", "1 2 1 1 40 40",
    "1 2 3 0 null 0", "1 1 1 2 20 30", "1 1 2 1 30 30" },
  { "a, b, c, d, v FROM g GROUP BY a, b, c, d", "9 9 null null null", "1 2 1 1 40", "1 2 3 1 null", "1 1 1 1 10",
    "1 1 1 2 20", "1 1 2 1 30" },
  { "c, d, v, w FROM g WHERE a = 1 AND b = 1 GROUP BY c", "1 1 10 a", "2 1 30 c" },
  { "c, d, v, w FROM g WHERE a = 1 AND b = 1 GROUP BY c ORDER BY c DESC", "2 1 30 c", "1 2 20 b" },
  { "c, max(d) FROM g WHERE a = 1 AND b = 1 GROUP BY b, c", "1 2", "2 1" },
  { "d, max(v) FROM g WHERE a = 1 AND b = 1 AND c = 1 GROUP BY d", "1 10", "2 20" },
  { "a, b, c, max(v) FROM g WHERE a = 1 AND b IN (1, 2) GROUP BY b, c", "1 1 1 20", "1 1 2 30", "1 2 1 40",
    "1 2 3 null" },
  { "a, b, count(*) FROM g GROUP BY a, b LIMIT 2", "9 9 1", "1 2 2" },
  { "a, b, c, count(*) FROM g GROUP BY a, b, c PER PARTITION LIMIT 1", "9 9 null 1", "1 2 1 1", "1 1 1 2" },
  { "a, b, c, d, count(*) FROM g GROUP BY a, b, c, d PER PARTITION LIMIT 2 LIMIT 3", "9 9 null null 1", "1 2 1 1 1",
    "1 2 3 1 1" },
  { "DISTINCT a, b FROM g GROUP BY a, b", "9 9", "1 2", "1 1" },
  { "DISTINCT a, b, count(a) FROM g GROUP BY a, b", "9 9 1", "1 2 1", "1 1 1" },
  { "* FROM g GROUP BY a, b", "9 9 null null 99 null null", "1 2 1 1 null 40 null", "1 1 1 1 7 10 a" },
  { "a, b, max(v), count(*) FROM g WHERE a = 77 AND b = 7 GROUP BY a, b" },
  { "s, count(v), count(s) FROM g GROUP BY a, b", "99 0 1", "null 1 0", "7 3 3" },
  { "a, b, ttl(v), token(a, b), count(*) FROM g GROUP BY a, b", "9 9 null -838724533617812123LL 1",
    "1 2 null 4881097376275569167LL 2", "1 1 null 5765203080415074583LL 3" },
  { "a, b, count(*) FROM g WHERE v > 15 GROUP BY a, b ALLOW FILTERING", "1 2 1", "1 1 2" },
  { "a, b, count(*) FROM g WHERE a = 1 AND b = 1 GROUP BY c, d ORDER BY c ASC, d ASC", "1 1 1", "1 1 1", "1 1 1" },
  { "a, v, max(v), count(*) FROM g", "9 null 40 6" }, -- without GROUP BY: one of all
  { "a, v, max(v), count(*) FROM g WHERE a = 77 AND b = 7", "null null null 0" },
  { "max(v) AS m, a AS x FROM g WHERE a = 1 AND b = 1", "30 1" },
}

local ORDER = "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
local refused = {
  { "d, max(v) FROM g WHERE a = 1 AND b = 1 AND c IN (1, 2) GROUP BY d", ORDER },
  { "d, max(v) FROM g WHERE a = 1 AND b IN (1, 2) GROUP BY c", ORDER },
  { "a, count(*) FROM g GROUP BY a", "Group by is not supported on only a part of the partition key" },
  { "b, count(*) FROM g GROUP BY b, a", ORDER }, { "a, count(*) FROM g GROUP BY a, b, d", ORDER },
  { "a FROM g GROUP BY a, a, b", ORDER },
  { "a FROM g GROUP BY v", "Group by is currently only supported on the columns of the PRIMARY KEY, got v" },
  { "a FROM g GROUP BY s", "Group by is currently only supported on the columns of the PRIMARY KEY, got s" },
  { "a FROM g GROUP BY nix", "Undefined column name nix in table ks.g" },
  { "DISTINCT a, b, s FROM g GROUP BY a, b, c",
    "Grouping on clustering columns is not allowed for SELECT DISTINCT queries" },
  { "count(*) FROM g PER PARTITION LIMIT 1", "PER PARTITION LIMIT is not allowed with aggregate queries." },
  { "DISTINCT a, b FROM g PER PARTITION LIMIT 1", "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries" },
  { "DISTINCT a FROM g", "SELECT DISTINCT queries must request all the partition key columns (missing b)" },
  { "DISTINCT a, b, max(v) FROM g", "SELECT DISTINCT queries must only request partition key columns and/or static" },
  { "a FROM g GROUP BY", "expected a name" }, { "a FROM g GROUP a", "expected BY" },
}

describe("GROUP BY of the simulated cluster", function()
  it_in("gives what Cassandra gives", function(world)
    local pool = filled(world)
    for _, case in ipairs(taken) do
      local want = {}
      for i = 2, #case do want[i - 1] = case[i] end
      assert.same(want, rows_of(pool, "SELECT " .. case[1]), case[1])
    end
    for _, case in ipairs(refused) do
      local result, err = pool:execute("SELECT " .. case[1])
      assert.is_nil(result, case[1])
      assert.matches(case[2], err.message, 1, true)
    end
  end)

  it_in("gives the groups of random tables, on pages of every size", { seed = 7 }, function(world)
    world:schema "CREATE TABLE ks.r (k int, c int, d int, v int, PRIMARY KEY (k, c, d))"
    local pool, keys, all = world:pool(), {}, {}
    for _ = 1, 60 do
      local k, c, d, v = world.random(4), world.random(3), world.random(6), world.random(100)
      assert(pool:execute("INSERT INTO r (k, c, d, v) VALUES (?, ?, ?, ?)", { k, c, d, v }))
      all[("%d %d %d"):format(k, c, d)] = v
    end
    for i, row in ipairs(rows_of(pool, "SELECT DISTINCT k FROM r")) do keys[i] = row end
    local function expected(by_c, reversed, limit)
      local groups = {}
      for _, k in ipairs(keys) do
        local of_partition, last = 0, nil
        for i = 0, 17 do
          local at = reversed and 17 - i or i
          local c, d = math.floor(at / 6), at % 6
          local v, name = all[("%s %d %d"):format(k, c, d)], by_c and k .. " " .. c or k
          if v and last and last.name == name then
            last.n, last.most = last.n + 1, math.max(last.most, v)
          elseif v and of_partition < limit then
            of_partition = of_partition + 1
            last = { name = name, first = d, n = 1, most = v }
            groups[#groups + 1] = last
          elseif v then
            last = nil
          end
        end
      end
      for i, group in ipairs(groups) do
        groups[i] = ("%s %d %d %d"):format(group.name, group.first, group.n, group.most)
      end
      return groups
    end
    local keyed = "WHERE k IN (" .. table.concat(keys, ", ") .. ") "
    for _, case in ipairs { { "SELECT k, c, d, count(*), max(v) FROM r GROUP BY k, c", true, false, 99 },
      { "SELECT k, d, count(v), max(v) FROM r GROUP BY k", false, false, 99 },
      { "SELECT k, c, d, count(*), max(v) FROM r GROUP BY k, c PER PARTITION LIMIT 2", true, false, 2 } } do
      local want = expected(case[2], case[3], case[4])
      for size = 1, #want + 1 do
        assert.same(want, (function()
          local got = {}
          for row in pool:rows(case[1], nil, { fetchSize = size }) do
            got[#got + 1] = case[2] and ("%d %d %d %d %d"):format(row.k, row.c, row.d, row.count, row["system.max(v)"])
              or ("%d %d %d %d"):format(row.k, row.d, row["system.count(v)"], row["system.max(v)"])
          end
          return got
        end)(), case[1] .. " " .. size)
      end
    end
    assert.is_true(#rows_of(pool, "SELECT k FROM r " .. keyed .. "GROUP BY k, c, d") > 20)
    for _, k in ipairs(keys) do
      local want, got = {}, rows_of(pool, "SELECT k, c, d, count(*), max(v) FROM r WHERE k = " .. k ..
        " GROUP BY c ORDER BY c DESC")
      for _, group in ipairs(expected(true, true, 99)) do
        if group:sub(1, #k + 1) == k .. " " then want[#want + 1] = group end
      end
      assert.same(want, got)
    end
  end)
end)

describe("functions of a column of the simulated cluster", function()
  it_in("give what Cassandra gives", function(world)
    world:schema "CREATE TABLE ks.n (k int PRIMARY KEY, tu timeuuid, da date, ts timestamp)"
    local pool = world:pool()
    assert(pool:execute("INSERT INTO n (k, tu, da, ts) VALUES (1, d0a3cbd4-b1c4-11ee-a506-0242ac120002, " ..
      "'2024-01-13', '2024-01-13T00:00:00Z')"))
    assert(pool:execute "INSERT INTO n (k) VALUES (3)")
    local function row(what, k) return rows_of(pool, "SELECT " .. what .. " FROM n WHERE k = " .. (k or 1))[1] end
    assert.equal("1705116936716 1705116936716 1705104000000 1705104000000",
      row "toUnixTimestamp(tu), to_timestamp(tu), toTimestamp(da), toUnixTimestamp(da)")
    assert.equal(row "da, da", row "toDate(tu), to_date(ts)")
    assert.equal("b1c18000-b1a6-11ee-8080-808080808080", row "minTimeuuid(ts)")
    assert.equal("null", row("toDate(tu)", 3))
    local columns = assert(pool:execute "SELECT toDate(tu), to_date(tu) AS x FROM n").columns
    assert.same({ "system.todate(tu)", "date", "x" }, { columns[1].name, columns[1].type, columns[2].name })
    for cql, why in pairs { ["toDate(k)"] = "Invalid call to function todate", ["toTimestamp(ts)"] =
      "none of its type signatures match", ["dateOf(tu)"] = "unknown function 'dateOf'", ["now(tu)"] = "now",
      ["toDate(nix)"] = "Undefined column name nix" } do
      local result, err = pool:execute("SELECT " .. cql .. " FROM n")
      assert.is_nil(result, cql)
      assert.matches(why, err.message, 1, true)
    end
  end)
end)
