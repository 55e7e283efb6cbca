-- SPDX-License-Identifier: Apache-2.0
local live = require "spec.support.live"
local it = live.inCoroutine(it)

describe("the schema of a real Cassandra", function()
  it("is told and kept: keys, types, indexes, options, functions, views", function()
    live.cluster()
    local pool = live.pool()
    live.ddl(pool, "DROP KEYSPACE IF EXISTS schema_spec")
    live.keyspace(pool, "schema_spec")
    live.ddl(pool, "CREATE TYPE schema_spec.addr (street text, tags frozen<set<text>>)")
    live.ddl(pool, [[CREATE TABLE schema_spec.t (k1 int, k2 text, c int, s int STATIC, v text, a frozen<addr>,
      e vector<float, 3>, PRIMARY KEY ((k1, k2), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'hello']])
    live.ddl(pool, "CREATE INDEX by_v ON schema_spec.t (v)")
    local seen = assert(pool:schema())
    assert.same({}, seen.missing)
    assert.is_truthy(seen.keyspaces.system.tables["local"].columns.host_id)
    local keyspace = seen.keyspaces.schema_spec
    assert.equal("3", keyspace.replication.datacenter1)
    assert.same({ { name = "street", type = "text" }, { name = "tags", type = "frozen<set<text>>" } },
      keyspace.types.addr.fields)
    local t = keyspace.tables.t
    assert.same({ "k1", "k2" }, t.partitionKey)
    assert.same({ "c" }, t.clusteringKey)
    assert.equal("desc", t.columns.c.order)
    assert.equal("static", t.columns.s.kind)
    assert.equal("vector<float, 3>", t.columns.e.type)
    assert.equal("v", t.indexes.by_v.target)
    assert.equal("hello", t.options.comment)
    local names = {}
    for i, column in ipairs(assert(pool:execute "SELECT * FROM schema_spec.t").columns) do names[i] = column.name end
    assert.same(names, t.order)
    assert.is_truthy(t:routingKey { 1, "a" })
    live.ddl(pool, "ALTER TABLE schema_spec.t ADD more int")
    live.eventually(20000, "the change is told", function()
      return assert(pool:schema "schema_spec").tables.t.columns.more ~= nil
    end)
    assert.is_nil(t.columns.more)
    for _, cql in ipairs {
      "FUNCTION schema_spec.plus (s int, n int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return s + n;'",
      "FUNCTION schema_spec.plus (s text) RETURNS NULL ON NULL INPUT RETURNS text LANGUAGE java AS 'return s;'",
      "AGGREGATE schema_spec.total (int) SFUNC plus STYPE int INITCOND 0",
      "MATERIALIZED VIEW schema_spec.by_c AS SELECT k1, k2, c, v FROM schema_spec.t WHERE k1 IS NOT NULL AND "
        .. "k2 IS NOT NULL AND c IS NOT NULL PRIMARY KEY (c, k1, k2)",
    } do live.ddl(pool, "CREATE " .. cql) end
    live.eventually(20000, "functions and views are told", function()
      keyspace = assert(pool:schema "schema_spec")
      return keyspace.views.by_c ~= nil and keyspace.aggregates["total(int)"] ~= nil
    end)
    local plus, total = keyspace.functions["plus(int, int)"], keyspace.aggregates["total(int)"]
    assert.same({ { "int", "int" }, { "s", "n" }, "int", "java", "return s + n;" },
      { plus.argumentTypes, plus.argumentNames, plus.returnType, plus.language, plus.body })
    assert.equal("text", keyspace.functions["plus(text)"].returnType)
    assert.same({ "plus", "int", "0" }, { total.stateFunc, total.returnType, total.initcond })
    local view = keyspace.views.by_c
    assert.same({ { "c" }, { "k1", "k2" }, "t", false }, { view.partitionKey, view.clusteringKey, view.baseTable,
      view.includesAllColumns })
    assert.same({ "by_c" }, keyspace.tables.t.views)
    assert.truthy(view:routingKey { c = 1 })
    pool:close()
  end)
end)
