-- SPDX-License-Identifier: Apache-2.0
-- DESCRIBE and the tables of traces of the simulated Cassandra.
local it_in = require("spec.support.world").inside(it)

local function all(pool, cql, options) return assert(pool:execute(cql, nil, options)).rows end

local function statements(world)
  world:schema "CREATE TYPE ks.zz (a int)"
  world:schema "CREATE TYPE ks.aa (z frozen<zz>)"
  world:schema [[CREATE TABLE ks.t (k1 int, k2 text, c int, s int STATIC, "Odd name" frozen<list<text>>, a frozen<aa>,
    PRIMARY KEY ((k1, k2), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s' AND default_time_to_live = 60]]
end

describe("DESCRIBE of the simulated cluster", function()
  it_in("tells what makes each thing again", function(world)
    statements(world)
    local pool = world:pool()
    local rows = all(pool, "DESCRIBE KEYSPACE ks")
    local kinds = {}
    for i, row in ipairs(rows) do kinds[i] = row.keyspace_name .. " " .. row.type .. " " .. row.name end
    assert.same({ "ks keyspace ks", "ks type zz", "ks type aa", "ks table t" }, kinds) -- in an order that can be made
    local text = {}
    for i, row in ipairs(rows) do text[i] = row.create_statement end
    world:schema "DROP KEYSPACE ks"
    for _, create in ipairs(text) do assert(pool:execute((create:gsub(";$", "")))) end
    for i, row in ipairs(all(pool, "DESCRIBE KEYSPACE ks")) do assert.equal(text[i], row.create_statement) end
    assert.equal(text[4], all(pool, "DESC TABLE ks.t")[1].create_statement)
    assert.equal(text[4], all(pool, "DESCRIBE ks.t")[1].create_statement)
    assert.equal(text[2], all(pool, "DESCRIBE TYPE ks.zz WITH INTERNALS")[1].create_statement)
    assert.equal(4, #all(pool, "DESCRIBE SCHEMA"))
    assert.is_true(#all(pool, "DESCRIBE FULL SCHEMA") > 20)
  end)

  it_in("lists names, of the keyspace in force or of all", function(world)
    statements(world)
    local pool = world:pool()
    assert.same({ { keyspace_name = "ks", type = "table", name = "t" } }, all(pool, "DESCRIBE TABLES"))
    assert.equal(2, #all(pool, "DESCRIBE TYPES"))
    assert.same({}, all(pool, "DESCRIBE FUNCTIONS"))
    assert.same({}, all(pool, "DESCRIBE AGGREGATES"))
    local names = {}
    for i, row in ipairs(all(pool, "DESCRIBE KEYSPACES")) do names[i] = row.name end
    assert.same({ "ks", "system", "system_auth", "system_schema", "system_traces", "system_virtual_schema" }, names)
    assert.equal("Murmur3Partitioner", all(pool, "DESCRIBE CLUSTER")[1].partitioner)
  end)

  it_in("says what there is not", function(world)
    local pool = world:pool()
    for cql, why in pairs { ["DESCRIBE KEYSPACE nix"] = "'nix' not found in keyspaces",
      ["DESCRIBE TABLE nix"] = "Table 'nix' not found in keyspace 'ks'",
      ["DESCRIBE TYPE ks.nix"] = "User defined type 'nix' not found in keyspace 'ks'",
      ["DESCRIBE nix.t"] = "'nix' not found in keyspaces", ["DESCRIBE nix"] = "'nix' not found in keyspace 'ks'",
      ["DESCRIBE"] = "expected a name", ["DESCRIBE TABLE t WITH"] = "expected INTERNALS" } do
      local result, err = pool:execute(cql)
      assert.is_nil(result, cql)
      assert.matches(why, err.message, 1, true)
    end
  end)
end)

describe("a trace of the simulated cluster", function()
  it_in("has a session and what happened in it", function(world)
    local pool = world:pool()
    local result = assert(pool:execute("SELECT key FROM system.local", nil, { traceQuery = true }))
    local id = result.info.traceId
    local session = all(pool, "SELECT * FROM system_traces.sessions WHERE session_id = " .. id)[1]
    assert.equal("SELECT key FROM system.local", session.parameters.query)
    local events = all(pool, "SELECT * FROM system_traces.events WHERE session_id = " .. id)
    assert.equal("Parsing SELECT key FROM system.local", events[1].activity)
    assert.equal("Request complete", events[#events].activity)
  end)
end)
