-- SPDX-License-Identifier: Apache-2.0
-- Random values of random types, written by moonpool and read by the DataStax Python driver, and the other way: their
-- bytes alone, and through a table of a real Cassandra. `scripts/differential` does it for as many as one likes.
local differential = require "spec.live.support.differential"
local live = require "spec.support.live"
local moonpool = require "moonpool"
local random = require "spec.hunt.random"
local it = live.inCoroutine(it)

describe("values of random types", function()
  it("are the same bytes to moonpool and to the Python driver", function()
    local compared, skipped = differential.codec(live.python(), 20261128, 3000)
    assert.is_true(compared >= 2700, table.concat(skipped, "\n"))
  end)

  it("come back from a real Cassandra to either as the other one wrote them", function()
    live.cluster()
    local pool = live.pool()
    live.ddl(pool, "DROP KEYSPACE IF EXISTS random_types") -- of an earlier run
    live.keyspace(pool, "random_types")
    local kinds = differential.kinds(random.new(5), 12, function(cql) live.ddl(pool, cql) end)
    local columns, names, marks = {}, { "k" }, { "?" }
    for i, kind in ipairs(kinds) do
      columns[i] = ("v%02d %s"):format(i, #kind.children > 0 and not kind.dimension and "frozen<" .. kind.cql .. ">" or
        kind.cql)
      names[#names + 1], marks[#marks + 1] = ("v%02d"):format(i), "?"
    end
    live.ddl(pool, ("CREATE TABLE random_types.t (k int PRIMARY KEY, %s)"):format(table.concat(columns, ", ")))
    local insert = assert(pool:prepare(("INSERT INTO random_types.t (%s) VALUES (%s)"):format(table.concat(names,
      ", "), table.concat(marks, ", "))))
    local r, rows = random.new(6), {}
    for k = 1, 20 do
      local row = { k = k }
      for i, kind in ipairs(kinds) do row[names[i + 1]] = differential.good(r, kind) or moonpool.null end
      assert(pool:execute(insert, row, { consistency = "QUORUM", timeout = 20000 }))
      rows[k] = row
    end
    local told = differential.rows(live.python(), 9042, "random_types.t", 7)
    local select = assert(pool:prepare "SELECT * FROM random_types.t WHERE k = ?")
    local count = 0
    for k, texts in pairs(told) do
      local row = rows[k] or assert(pool:execute(select, { k }, { consistency = "QUORUM" })):first()
      for i, kind in ipairs(kinds) do assert.equal(texts[i], differential.text(kind, row[names[i + 1]]), kind.cql) end
      count = count + 1
    end
    assert.equal(40, count)
    pool:close()
  end)
end)
