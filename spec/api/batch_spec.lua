-- SPDX-License-Identifier: Apache-2.0
-- Batches of the C API. Their misuse stands in misuse.c.
local api = require "spec.support.capi"
local C = api.C

local function on_cluster(name, body)
  it(name, function() api.on_cluster(body) end)
end

describe("a batch of the C API", function()
  on_cluster("is executed as one, with its own options", function(env)
    env.cluster:schema "CREATE TABLE ks.b (k int PRIMARY KEY, v text)"
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local insert = assert(env:prepare(session, "INSERT INTO ks.b (k, v) VALUES (?, ?)"))
    for round = 1, 3 do
      local kind = round % 2 == 0 and C.MOONPOOL_BATCH_UNLOGGED or C.MOONPOOL_BATCH_LOGGED
      local batch = C.moonpool_batch_new(session, kind)
      assert(batch ~= nil)
      for k = 1, 20 do
        local request = C.moonpool_request_new(insert)
        C.moonpool_bind_int32(request, k)
        C.moonpool_bind_text(request, "round " .. round, -1)
        assert.equal(0, C.moonpool_batch_add(batch, request))
      end
      assert.equal(0, C.moonpool_batch_add(batch,
        C.moonpool_request_new_query(session, "DELETE FROM ks.b WHERE k = 20 ", -1)))
      assert.equal(21, C.moonpool_batch_count(batch))
      C.moonpool_request_set_consistency(batch, C.MOONPOOL_QUORUM)
      C.moonpool_request_set_timestamp(batch, 1000 + round)
      assert(env:execute(batch))
      local cql = "SELECT k FROM ks.b WHERE v = 'round " .. round .. "' ALLOW FILTERING"
      assert.equal(19, env:query(session, cql, function(result) return C.moonpool_result_rows(result) end))
    end
    env:close(session)
  end)

  on_cluster("tells the server's error, and is nobody's after its session", function(env)
    env.cluster:schema "CREATE TABLE ks.n (k int PRIMARY KEY, c counter)"
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local function of(kind)
      local batch = C.moonpool_batch_new(session, kind)
      local add = C.moonpool_request_new_query(session, "UPDATE ks.n SET c = c + 1 WHERE k = 1", -1)
      assert.equal(0, C.moonpool_batch_add(batch, add))
      return batch
    end
    assert(env:execute(of(C.MOONPOOL_BATCH_COUNTER)))
    local done, err = env:execute(of(C.MOONPOOL_BATCH_LOGGED))
    assert.is_nil(done)
    assert.same({ "INVALID", false }, { err.name, err.maybe })
    assert.matches("INVALID: Cannot include a counter statement in a logged batch", err.message)
    local left = of(C.MOONPOOL_BATCH_COUNTER)
    env:close(session)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_request_free(left))
  end)
end)
