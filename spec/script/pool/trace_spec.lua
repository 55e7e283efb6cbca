-- SPDX-License-Identifier: Apache-2.0
-- result:trace(): the session and its events, of any kind of request.
local it_in = require("spec.support.world").inside(it)

describe("the trace of a result", function()
  it_in("is what the nodes wrote down about it", function(world)
    world:schema "CREATE TABLE ks.u (k int PRIMARY KEY, v text)"
    local pool = world:pool()
    local insert = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, 'x')", { traceQuery = true }))
    for request, result in pairs {
      ["Execute CQL3 query"] = assert(pool:execute("SELECT * FROM u", nil, { traceQuery = true })),
      ["Execute CQL3 prepared query"] = assert(pool:executeAsync(insert, { 1 }):wait()),
      ["Execute batch of CQL3 queries"] = assert(pool:batch({ { insert, { 1 } } }, { traceQuery = true })),
    } do
      local trace = assert(result:trace())
      assert.equal(result.info.traceId, trace.id)
      assert.equal(request, trace.request)
      assert.same({ result.info.host, "QUERY", 4 }, { trace.coordinator .. ":9042", trace.command, #trace.events })
      assert.is_true(trace.durationUs > 0 and trace.startedAt > 0)
      assert.is_string(trace.parameters.query)
      for i, event in ipairs(trace.events) do
        assert.same({ trace.coordinator, 25 * i }, { event.source, event.elapsedUs })
        assert.is_string(event.activity .. event.thread)
      end
    end
  end)

  it_in("is waited for, but not for ever", function(world)
    world:schema "CREATE TABLE ks.u (k int PRIMARY KEY, v text)"
    local pool = world:pool()
    local result = assert(pool:execute("SELECT * FROM u", nil, { traceQuery = true }))
    result.info.traceId = "00000000-0000-1000-8000-000000000000"
    local trace, err = result:trace()
    assert.is_nil(trace)
    assert.equal("NOT_FOUND", err.code)
    assert.matches("have not written the trace 00000000%-.* within 5000 ms", err.message)
  end)

  it_in("is an error where there is none", function(world)
    local pool = world:pool()
    local plain, traced = assert(pool:execute "SELECT key FROM system.local"),
      assert(pool:execute("SELECT key FROM system.local", nil, { traceQuery = true }))
    assert.matches("was not traced: ask with the option traceQuery", select(2, plain:trace()).message)
    pool:close()
    assert.equal("CLOSED", select(2, traced:trace()).code)
  end)
end)
