-- SPDX-License-Identifier: Apache-2.0
-- A request whose memory ends, at any allocation, while it is made, sent, answered and while its answer becomes rows:
-- it gives nil and an error; it raises nothing, and the next one works.
local C = require "spec.support.c"
local it = require("spec.support.world").inside(it)

describe("a request without memory", function()
  after_each(function() C.mp_mem_fail_at(0, false) end)

  it("is an error and raises nothing", {}, function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, a varint, b decimal, c list<frozen<map<text, int>>>)"
    local pool = world:newPool(world:configuration { loadBalancing = {} })
    assert(pool:connect())
    assert(pool:execute "INSERT INTO ks.t (k, a, b, c) VALUES (1, 12345678901234567890, 1.25, [{'x': 1}])")
    local statement = assert(pool:prepare "SELECT k, a, b, c FROM ks.t WHERE k = ?")
    local insert = assert(pool:prepare "INSERT INTO ks.t (k, a, b) VALUES (?, ?, ?)")
    local asks = {
      function() return pool:execute "SELECT k, a, b, c FROM ks.t WHERE k = 1" end,
      function() return pool:execute(statement, { 1 }) end,
      function() return pool:execute("SELECT k, a FROM ks.t WHERE k = ?", { 1 }, { fetchSize = 1 }) end,
      function() return pool:execute(insert, { 2, "987654321987654321", "-0.5" }, { isIdempotent = true }) end,
      function() return pool:batch({ { insert, { 3, "1", "2" } }, { "DELETE FROM ks.t WHERE k = 9" } }) end,
    }
    for i, ask in ipairs(asks) do
      local failed = 0
      for nth = 1, 25 do
        C.mp_mem_fail_at(nth, false)
        local ok, result, err = pcall(ask)
        C.mp_mem_fail_at(0, false)
        assert(ok, ("request %d, allocation %d: %s"):format(i, nth, tostring(result)))
        if not result then
          assert.is_string(err.code)
          failed = failed + 1
        end
      end
      assert(ask())
      if i == 1 then assert.is_true(failed > 0) end
    end
  end)
end)
