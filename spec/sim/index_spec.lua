-- SPDX-License-Identifier: Apache-2.0
-- Indexes of the simulated Cassandra, as far as SELECT needs them: which questions are taken is what a real one (5.0.9)
-- takes, and what they give is what ALLOW FILTERING gives.
local it_in = require("spec.support.world").inside(it)

local TABLE = "CREATE TABLE ks.i (k int, c int, v int, w text, s int static, t set<text>, m map<text, int>, " ..
  "l list<int>, f frozen<list<int>>, du duration, PRIMARY KEY (k, c))"

local function filled(world)
  world:schema(TABLE)
  local pool = world:pool()
  for _, values in ipairs {
    "(k, c, v, w, s, t, m, l, f) VALUES (1, 1, 10, 'a', 5, {'x', 'y'}, {'p': 1}, [1, 2], [1, 2])",
    "(k, c, v, w, t, m, l) VALUES (1, 2, 20, 'a', {'x'}, {'q': 1}, [3])",
    "(k, c, v, w, s) VALUES (2, 1, 10, 'b', 5)" } do
    assert(pool:execute("INSERT INTO i " .. values))
  end
  return pool
end

local function refused(pool, cql, why)
  local result, err = pool:execute(cql)
  assert.is_nil(result, cql)
  assert.matches(why, err.message, 1, true)
end

-- "k c k c ..." of WHERE ...
local function found(pool, where)
  local result, err = pool:execute("SELECT k, c FROM i WHERE " .. where)
  if not result then error(where .. ": " .. tostring(err), 2) end
  local out = {}
  for i, row in ipairs(result.rows) do out[i] = row.k .. " " .. row.c end
  return table.concat(out, " ")
end

local FILTERING = "Cannot execute this query as it might involve data filtering"

describe("an index of the simulated cluster", function()
  it_in("lets its column be asked for", function(world)
    local pool = filled(world)
    local asked = { ["v = 10"] = "v", ["c = 1"] = "c", ["t CONTAINS 'x'"] = "t", ["m CONTAINS KEY 'p'"] = "KEYS(m)",
      ["m CONTAINS 1"] = "values(m)", ["l CONTAINS 3"] = "l", ["m['p'] = 1"] = "entries(m)",
      ["f = [1, 2]"] = "FULL(f)", ["s = 5"] = "s" }
    for where, target in pairs(asked) do
      refused(pool, "SELECT k, c FROM i WHERE " .. where, FILTERING)
      local all = found(pool, where .. " ALLOW FILTERING")
      assert.is_true(#all > 0)
      assert(pool:execute("CREATE INDEX x ON i (" .. target .. ")"))
      assert.equal(all, found(pool, where))
      assert(pool:execute "DROP INDEX x")
      refused(pool, "SELECT k, c FROM i WHERE " .. where, FILTERING)
    end
  end)

  it_in("is one that a question may use, beside the key", function(world)
    local pool = filled(world)
    assert(pool:execute "CREATE INDEX ON i (v)")
    assert(pool:execute "CREATE INDEX ON i (w)")
    assert.equal("1 1 2 1", found(pool, "v = 10"))
    assert.equal("1 1", found(pool, "v = 10 AND k = 1"))
    assert.equal("1 1", found(pool, "v = 10 AND k = 1 AND c > 0"))
    assert.equal("1 1", found(pool, "w = 'a' AND v = 10 ALLOW FILTERING"))
    assert.equal("", found(pool, "v = 10 AND token(k) > 0"))
    assert.equal("", found(pool, "m['p'] = 2 ALLOW FILTERING"))
    assert.equal("", found(pool, "m['p'] = 1 AND m['q'] = 1 ALLOW FILTERING"))
    local entry = assert(pool:prepare "SELECT k, c FROM i WHERE m[?] = ? ALLOW FILTERING")
    assert.equal(2, assert(pool:execute(entry, { "q", 1 })).rows[1].c)
    for where, why in pairs { ["v[1] = 1"] = "Column v cannot be used as a map",
      ["l[0] = 1"] = "Indexes on list entries (l[index] = value)", ["f[0] = 1"] = "Indexes on list entries (f[index]",
      ["m['p'] > 1"] = "Only EQ relations are supported on map entries", ["m['p'] = 1"] = FILTERING } do
      refused(pool, "SELECT k, c FROM i WHERE " .. where, why)
    end
    for where, why in pairs { ["w = 'a' AND v = 10"] = FILTERING, ["v > 10"] = FILTERING, ["v IN (10, 20)"] = FILTERING,
      ["v = 10 AND c = 1"] = FILTERING, ["v = 10 AND c > 0"] = FILTERING,
      ["v = 10 AND v > 5"] = "v cannot be restricted by more than one relation if it includes an Equal",
      ["v > 5 AND v = 10"] = "v cannot be restricted by more than one relation if it includes an Equal",
      ["v = 10 ORDER BY c DESC"] = "ORDER BY with 2ndary indexes is not supported, except for ANN queries.",
      ["v = 10 AND k = 1 ORDER BY c DESC"] = "ORDER BY with 2ndary indexes is not supported",
      ["v = 10 AND k IN (1, 2)"] = "Select on indexed columns and with IN clause for the PRIMARY KEY" }
    do refused(pool, "SELECT k, c FROM i WHERE " .. where, why) end
    assert.equal(2, assert(pool:execute "SELECT count(*) FROM i WHERE v = 10").rows[1].count)
    assert.equal(2, #assert(pool:execute "SELECT k, count(*) FROM i WHERE v = 10 GROUP BY k").rows)
    local select = assert(pool:prepare "SELECT k, c FROM i WHERE v = ?")
    assert.equal(2, #assert(pool:execute(select, { 10 })).rows)
    assert(pool:execute "DROP INDEX ks.i_v_idx")
    local result, err = pool:execute(select, { 10 }) -- it is prepared anew, and judged anew
    assert.is_nil(result)
    assert.matches(FILTERING, err.message, 1, true)
  end)

  it_in("that is storage-attached serves ranges, and beside others", function(world)
    local pool = filled(world)
    assert(pool:execute "CREATE CUSTOM INDEX sai ON i (v) USING 'StorageAttachedIndex' WITH OPTIONS = {'a': 'b'}")
    assert(pool:execute "CREATE INDEX ON i (w) USING 'sai'")
    assert.equal("1 2", found(pool, "v > 10"))
    assert.equal("1 1", found(pool, "v >= 10 AND v < 20 AND w = 'a'"))
    refused(pool, "SELECT k, c FROM i WHERE w > 'a'", FILTERING)
    refused(pool, "SELECT k, c FROM i WHERE v != 3 AND w = 'a'", "")
  end)

  it_in("is told by system_schema, DESCRIBE and pool:schema()", function(world)
    local pool = filled(world)
    local told = world:listen(pool, "schemaChange")
    for _, cql in ipairs { "CREATE INDEX ON i (v)", "CREATE INDEX byw ON ks.i (w)", "CREATE INDEX ON i (KEYS(m))",
      "CREATE INDEX mv ON i (m)", "CREATE INDEX me ON i (ENTRIES(m))", "CREATE INDEX ON i (FULL(f))",
      "CREATE INDEX IF NOT EXISTS byw ON i (w)", "CREATE INDEX IF NOT EXISTS ON i (w)",
      "CREATE CUSTOM INDEX sai ON i (v) USING 'StorageAttachedIndex'" } do assert(pool:execute(cql), cql) end
    local rows = {}
    for i, row in ipairs(assert(pool:execute "SELECT * FROM system_schema.indexes WHERE keyspace_name = 'ks'").rows) do
      rows[i] = row.table_name .. " " .. row.index_name .. " " .. row.kind .. " " .. row.options.target
    end
    assert.same({ "i byw COMPOSITES w", "i i_f_idx COMPOSITES full(f)", "i i_m_idx COMPOSITES keys(m)",
      "i i_v_idx COMPOSITES v", "i me COMPOSITES entries(m)", "i mv COMPOSITES values(m)", "i sai CUSTOM v" }, rows)
    local text = {}
    for i, row in ipairs(assert(pool:execute "DESCRIBE TABLE i").rows) do
      assert.equal(i == 1 and "table i" or "index " .. rows[i - 1]:match "^i (%S+)", row.type .. " " .. row.name)
      text[i] = row.create_statement
    end
    assert.equal("CREATE INDEX i_m_idx ON ks.i (keys(m));", text[4])
    assert.equal("CREATE CUSTOM INDEX sai ON ks.i (v) USING 'StorageAttachedIndex';", text[8])
    assert.equal(text[5], assert(pool:execute "DESCRIBE INDEX i_v_idx").rows[1].create_statement)
    assert.equal(text[5], assert(pool:execute "DESC ks.i_v_idx").rows[1].create_statement)
    refused(pool, "DESCRIBE INDEX ks.nix", "Table for existing index 'nix' not found in 'ks'")
    world:eventually("the pool knows it", function()
      local of = assert(pool:schema()).keyspaces.ks.tables.i.indexes
      return of.sai and of.i_m_idx and of.i_m_idx.target == "keys(m)" and of.sai.kind == "custom" and
        of.sai.options.class_name == "StorageAttachedIndex"
    end)
    assert.equal(7, #told.schemaChange)
    assert(pool:execute "DROP TABLE i")
    for _, create in ipairs(text) do assert(pool:execute((create:gsub(";$", "")))) end
    local again = assert(pool:execute "DESCRIBE TABLE i").rows
    for i, row in ipairs(again) do assert.equal(text[i], row.create_statement) end
  end)

  it_in("is refused where Cassandra refuses it, in its words", function(world)
    local pool = filled(world)
    assert(pool:execute "CREATE TABLE n (k int PRIMARY KEY, n counter)")
    assert(pool:execute "CREATE INDEX byw ON i (w)")
    for cql, why in pairs { ["INDEX byw ON i (w)"] = "Index 'byw' already exists",
      ["INDEX other ON i (w)"] = "Index other is a duplicate of existing index byw",
      ["INDEX ON i (k)"] = "Cannot create secondary index on the only partition key column k",
      ["INDEX ON i (du)"] = "Secondary indexes are not supported on duration columns",
      ["INDEX ON i (nix)"] = "Undefined column name nix in table ks.i",
      ["INDEX ON nix (v)"] = "Table 'nix' doesn't exist", ["INDEX ON nix.i (v)"] = "Keyspace 'nix' doesn't exist",
      ["INDEX ON i (KEYS(v))"] = "Cannot create keys() index on v. Non-collection columns only support simple indexes",
      ["INDEX ON i (KEYS(t))"] = "Cannot create index on keys() of column t with non-map type",
      ["INDEX ON i (f)"] = "Cannot create values() index on frozen column f. Frozen collections are immutable",
      ["INDEX ON i (FULL(v))"] = "full() indexes can only be created on frozen collections",
      ["INDEX ON n (n)"] = "Secondary indexes on counter tables aren't supported",
      ["INDEX ON i (v, w)"] = "Only CUSTOM indexes support multiple columns",
      ["CUSTOM INDEX ON i (v)"] = "CUSTOM index requires specifying the index class",
      ["CUSTOM INDEX ON i (v) USING 'nowhere.Class'"] = "Unable to find custom indexer class 'nowhere.Class'",
      ["INDEX ON i (SOME(v))"] = "expected a column", ["INDEX ON i v"] = "expected '('",
      ["INDEX ON system.local (rack)"] = "not user-modifiable" } do refused(pool, "CREATE " .. cql, why) end
    refused(pool, "DROP INDEX nix", "Index 'ks.nix' doesn't exist'")
    assert(pool:execute "DROP INDEX IF EXISTS nix")
    assert(pool:execute "CREATE INDEX i_v_idx ON i (s)")
    assert(pool:execute "CREATE INDEX ON i (v)") -- whose name is taken
    assert.equal("v", assert(pool:schema()).keyspaces.ks.tables.i.indexes.i_v_idx_1.target)
  end)
end)
