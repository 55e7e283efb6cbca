-- SPDX-License-Identifier: Apache-2.0
-- What a request gives to what the node has in front of its statements, and what that gives back. The simulated node
-- gives back what it got.
local moonpool = require "moonpool"
local it = require("spec.support.world").inside(it)

local given = { trace = "abc", ["the other"] = "\0\1\255", empty = "" }
local T = "CREATE TABLE IF NOT EXISTS ks.t (id int PRIMARY KEY, v text)"
local MODES = { { 4, "none" }, { 4, "lz4" }, { 5, "none" }, { 5, "lz4" } }

describe("a custom payload", function()
  for _, mode in ipairs(MODES) do
    it(("goes with each kind of request and comes back, v%d, %s"):format(mode[1], mode[2]), function(world)
      world:schema "CREATE TABLE ks.pays (id int PRIMARY KEY, v text)"
      local pool = world:pool { protocolVersion = mode[1], compression = mode[2] }
      local insert = assert(pool:prepare "INSERT INTO ks.pays (id, v) VALUES (?, ?)")
      local results = {
        assert(pool:execute("SELECT v FROM ks.pays", nil, { payload = given })),
        assert(pool:execute("INSERT INTO ks.pays (id, v) VALUES (?, 'x')", { 1 },
          { payload = given, prepare = false })),
        assert(pool:execute(insert, { 2, ("y"):rep(70000) }, { payload = given })),
        assert(pool:execute("SELECT v FROM ks.pays WHERE id = 1", nil, { payload = given, traceQuery = true })),
        assert(pool:batch({ { insert, { 3, "z" } } }, { payload = given })),
        assert(pool:executeAsync(insert, { 4, "w" }, { payload = given }):wait()),
      }
      for i, result in ipairs(results) do assert.same(given, result.info.payload, i) end
      assert.is_string(results[4].info.traceId)
      assert.equal("x", assert(pool:execute "SELECT v FROM ks.pays WHERE id = 1"):first().v)
      for _, options in ipairs { {}, { payload = {} } } do
        assert.is_nil(assert(pool:execute(insert, { 5, "v" }, options)).info.payload)
      end
      local big = { big = ("p"):rep(300000) }
      assert.same(big, assert(pool:execute("SELECT v FROM ks.pays WHERE id = 1", nil, { payload = big })).info.payload)
    end)
  end

  it("goes with every attempt, and its request is merged with no other", function(world)
    world:schema(T)
    local pool = world:pool { pooling = { enableBatching = true } }
    local insert = assert(pool:prepare("INSERT INTO t (id, v) VALUES (?, 'x')", { isIdempotent = true }))
    world.cluster:rule { statement = "INSERT INTO t", error = "OVERLOADED", times = 1 }
    local result = assert(pool:execute(insert, { 1 }, { payload = given }))
    assert.equal(2, result.info.attempts)
    assert.same(given, result.info.payload)
    local before, futures = pool:getStats().mergedRequests, {}
    for i = 1, 20 do futures[i] = pool:executeAsync(insert, { i }, { payload = { number = tostring(i) } }) end
    for i = 1, 20 do assert.equal(tostring(i), assert(futures[i]:wait()).info.payload.number) end
    assert.equal(before, pool:getStats().mergedRequests)
  end)

  it("needs v4, and the error says so", { maxVersion = 3 }, function(world)
    world:schema(T)
    local pool = world:pool()
    local result, err = pool:execute("SELECT v FROM t WHERE id = 1", nil, { payload = given })
    assert.is_nil(result)
    assert.equal("UNSUPPORTED", err.code)
    assert.matches("a custom payload needs protocol v4, and this connection speaks v3: leave it out", err.message)
    assert(pool:execute("SELECT v FROM t WHERE id = 1", nil, { payload = {} }))
  end)

  it("is a table of strings by name, for requests and batches", function(world)
    local pool = world:pool()
    for _, case in ipairs { { "text", "a table of strings by name expected, got string" },
      { { a = 1 }, "got a number under a string" }, { { "x" }, "got a string under a number" },
      { { a = moonpool.null }, "got a userdata under a string" },
      { { [("n"):rep(65536)] = "x" }, "names of at most 65535 bytes" } } do
      local ok, why = pcall(pool.execute, pool, "SELECT v FROM t WHERE id = 1", nil, { payload = case[1] })
      assert.is_false(ok)
      assert.matches("option 'payload': .*" .. case[2], tostring(why))
    end
    local ok, why = pcall(pool.prepare, pool, "SELECT v FROM t", { payload = given })
    assert.is_false(ok)
    assert.matches("'payload' means nothing to prepare", tostring(why))
  end)
end)
