-- SPDX-License-Identifier: Apache-2.0
-- pool:batch: what it sends and what it refuses, with the number of the statement.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local function tables(world)
  world:schema("CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))",
    "CREATE TABLE ks.u (k int PRIMARY KEY, v text)",
    "CREATE TABLE ks.n (k int PRIMARY KEY, c counter)",
    "CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
    "CREATE TABLE other.u (k int PRIMARY KEY, v text)")
end

local function raised(fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  return why
end

local function values(pool, cql)
  local out = {}
  for i, row in ipairs(assert(pool:execute(cql, nil, { consistency = "QUORUM" })).rows) do out[i] = row.v or row.c end
  return out
end

describe("pool:batch", function()
  it_in("sends prepared statements and texts, with parameters by place and by name", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    for _, type in ipairs { "logged", "UNLOGGED" } do
      local result = assert(pool:batch({
        { insert, { 1, 1, "list" } }, { insert, { k = 1, c = 2, v = "named" } },
        { "INSERT INTO t (k, c, v) VALUES (1, 3, ?)", { "text" } },
        { "INSERT INTO t (k, c, v) VALUES (1, 4, 'plain')" },
        "INSERT INTO t (k, c, v) VALUES (1, 5, 'bare')", { insert, { 1, 6, moonpool.null } },
        { "UPDATE t SET v = :v WHERE k = 1 AND c = :c", { v = "by name", c = 7 } },
      }, { type = type, consistency = "QUORUM" }))
      assert.same({ true, 0 }, { result.wasApplied, #result.rows })
      assert.same({ "list", "named", "text", "plain", "bare" }, values(pool, "SELECT v FROM t WHERE k = 1 AND c < 6"))
      assert.same({ "by name" }, values(pool, "SELECT v FROM t WHERE k = 1 AND c = 7"))
      assert(pool:execute "TRUNCATE t")
    end
  end)

  it_in("adds to counters", function(world)
    tables(world)
    local pool = world:pool()
    local add = "UPDATE n SET c = c + ? WHERE k = ?"
    assert(pool:batch({ { add, { 1, 1 } }, { add, { 10, 1 } } }, { type = "counter", consistency = "QUORUM" }))
    assert.same({ 11 }, values(pool, "SELECT c FROM n WHERE k = 1"))
    local _, err = pool:batch({ { add, { 1, 1 } }, "INSERT INTO u (k, v) VALUES (1, 'x')" }, { type = "counter" })
    assert.same({ "INVALID", "Cannot include non-counter statement in a counter batch", false },
      { err.code, err.message, err.maybeApplied })
  end)

  it_in("says whether its conditions held", function(world)
    tables(world)
    local pool = world:pool()
    local batch = { { "INSERT INTO t (k, c, v) VALUES (?, 1, 'a') IF NOT EXISTS", { 1 } },
      { "INSERT INTO t (k, c, v) VALUES (?, 2, 'b')", { 1 } } }
    assert.is_true(assert(pool:batch(batch)).wasApplied)
    local second = assert(pool:batch(batch))
    assert.same({ false, "a" }, { second.wasApplied, second:first().v })
  end)

  it_in("gives its answer to a future, too", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, ?)")
    local futures = {}
    for i = 1, 5 do futures[i] = pool:batchAsync({ { insert, { i, "x" } } }, { consistency = "QUORUM" }) end
    futures[6] = pool:batchAsync({ { "INSERT INTO u (k, v) VALUES (?, 'y')", { 6 } } }, { consistency = "QUORUM" })
    for _, future in ipairs(futures) do assert(future:wait()) end
    assert.equal(6, #values(pool, "SELECT v FROM u"))
    local result, err = pool:batchAsync({ { insert, { "one", "x" } } }):wait()
    assert.same({ nil, "TYPE_MISMATCH" }, { result, err.code })
    assert.matches("batch_spec.lua:%d+: bad argument #1 to 'batchAsync'", raised(function() pool:batchAsync(5) end))
    pool:close()
    assert.equal("CLOSED", select(2, pool:batchAsync({ "DELETE FROM u WHERE k = 1" }):wait()).code)
  end)

  it_in("names the statement that is wrong, and sends nothing", function(world)
    tables(world)
    local pool = world:pool()
    local good = "INSERT INTO u (k, v) VALUES (1, 'x')"
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, ?)")
    for _, case in ipairs {
      { { good, { insert, { 1 } } }, "INVALID_ARGUMENT", "statement 2: parameter 2 %(v%) is missing" },
      { { good, good, { insert, { "a", "b" } } }, "TYPE_MISMATCH", "statement 3: parameter 1 %(k, int%): " },
      { { good, { "INSERT INTO no (k) VALUES (?)", { 1 } } }, "INVALID", "statement 2: table no does not exist" },
      { { good, { "INSRT INTO u (k) VALUES (?)", { 1 } } }, "SYNTAX_ERROR", "statement 2: " },
      { { { "INSERT INTO u (k, v) VALUES (?, ?)", { 1, {} } } }, "TYPE_MISMATCH",
        "statement 1: parameter 2 %(v, text%)" },
    } do
      local result, err = pool:batch(case[1])
      assert.is_nil(result)
      assert.equal(case[2], err.code)
      assert.matches("^" .. case[3], err.message)
    end
    local result, err = pool:batch({ good, { "INSERT INTO u (k) VALUES (:k)", { k = 1 } } }, { prepare = false })
    assert.is_nil(result)
    assert.matches("^statement 2: names of parameters need a prepared statement", err.message)
    assert.same({}, values(pool, "SELECT v FROM u"))
  end)

  it_in("raises what is no batch, with the caller's line", function(world)
    tables(world)
    local pool, another = world:pool(), world:pool()
    local good, foreign = "INSERT INTO u (k, v) VALUES (1, 'x')", assert(another:prepare "SELECT * FROM u")
    local function batch(...) -- no tail call: the error names this line
      local result, err = pool:batch(...)
      return result, err
    end
    for _, case in ipairs {
      { nil, "bad argument #1 to 'batch' (statements: a table expected, got nil)" },
      { "text", "bad argument #1 to 'batch' (statements: a table expected, got string)" },
      { {}, "a batch of at least one statement expected" },
      { { good, [3] = good }, "a list of statements without holes expected" },
      { { good, x = good }, "a list of statements without holes expected: 1 places, 2 values" },
      { { good, 5 }, "statement 2: a text, a prepared statement, or { one of them, parameters } expected" },
      { { { good, {}, {} } }, "statement 1: a text, a prepared statement, or { one of them, parameters } expected" },
      { { { good, params = {} } }, "statement 1: a text, a prepared" }, { { {} }, "statement 1: a text, a prepared" },
      { { { good, 5 } }, "statement 1: parameters: a table expected, got number" },
      { { foreign }, "statement 1 was prepared by another pool" },
    } do
      local why = raised(batch, case[1])
      assert.matches("^[^\n]*batch_spec.lua:%d+: ", why)
      assert.matches(case[2], why, 1, true)
    end
    for options, message in pairs {
      [{ fetchSize = 5 }] = "option 'fetchSize' means nothing to a batch: it has no rows",
      [{ type = "loged" }] = [[option 'type': no batch is "loged", did you mean logged?]],
      [{ tipe = "logged" }] = "unknown option 'tipe', did you mean type?",
    } do
      assert.matches(message, raised(batch, { good }, options), 1, true)
    end
    assert.matches("bad argument #2 to 'batch' (options: a table expected, got number)", raised(batch, { good }, 5), 1,
      true)
    local many = {}
    for i = 1, 65536 do many[i] = good end
    assert.matches("a batch has 65535 statements at most, 65536 were given", raised(batch, many), 1, true)
  end)

  it_in("has the options of a request", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, ?)")
    local result = assert(pool:batch({ { insert, { 1, "x" } } }, { timestamp = 77, traceQuery = true,
      host = world:host(2), serialConsistency = "LOCAL_SERIAL", timeout = 500, tag = "t", isIdempotent = true }))
    assert.equal(world:host(2), result.info.host)
    assert.is_string(result.info.traceId)
    assert.equal(77, assert(pool:execute("SELECT writetime(v) AS t FROM u WHERE k = 1")):first().t)
    assert(pool:batch({ "INSERT INTO u (k, v) VALUES (2, 'there')" }, { keyspace = "other", consistency = "ALL" }))
    assert.same({ "there" }, values(pool, "SELECT v FROM other.u"))
    assert.equal("NOT_FOUND", select(2, pool:batch({ { insert, { 1, "x" } } }, { host = "10.9.9.9" })).code)
    local rule = world.cluster:rule { opcode = "BATCH", swallow = true }
    local _, err = pool:batch({ { insert, { 1, "x" } } }, { timeout = 50 })
    assert.same({ "TIMEOUT", true }, { err.code, err.maybeApplied })
    rule:remove()
  end)

  it_in("takes the consistency that its statements were prepared with, if they agree", function(world)
    tables(world)
    local pool = world:pool()
    local all = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, 'all')", { consistency = "ALL" }))
    local one = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, 'one')", { consistency = "ONE" }))
    world.cluster:kill(3)
    world:waitStatus(pool, 3, "down")
    moonpool.sleep(2000)
    local text = "INSERT INTO u (k, v) VALUES (9, 'x')"
    assert.equal("UNAVAILABLE", select(2, pool:batch { text, { all, { 1 } } }).code)
    assert(pool:batch { text, { one, { 1 } } })
    assert(pool:batch({ { all, { 1 } }, { one, { 1 } } }, { consistency = "QUORUM" }))
    assert.matches("statements 2 and 3 were prepared with different consistencies: give the batch one",
      raised(pool.batch, pool, { text, { all, { 1 } }, { one, { 1 } } }), 1, true)
  end)

  it_in("needs what the version of the protocol has", { maxVersion = 4 }, function(world)
    tables(world)
    local pool = world:pool()
    local _, err = pool:batch({ "DELETE FROM u WHERE k = 1" }, { keyspace = "other" })
    assert.equal("UNSUPPORTED", err.code)
    assert.matches("a keyspace of the request's own needs protocol v5, and this connection speaks v4", err.message)
  end)

  it_in("refuses to leave a value out on v3, where that would delete it", { maxVersion = 3 }, function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, ?)")
    local batch = { { insert, { 1, "x" } }, { insert, { 2, moonpool.unset } } }
    local _, err = pool:batch(batch)
    assert.equal("UNSUPPORTED", err.code)
    assert.matches("an unset value needs protocol v4", err.message)
    batch[2] = nil
    assert(pool:batch(batch))
  end)
end)
