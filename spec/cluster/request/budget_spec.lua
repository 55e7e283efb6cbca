-- SPDX-License-Identifier: Apache-2.0
-- The retry budget: one more attempt for ten requests and ten a second, saved up to a thousand, of which speculation
-- leaves half to retries.
local C = require "spec.support.c"
local ffi = require "ffi"

describe("the retry budget", function()
  local budget

  before_each(function()
    budget = ffi.new "struct mp_budget"
    C.mp_budget_init(budget)
  end)

  local function spend(allows)
    local count = 0
    while allows(budget) do
      C.mp_budget_pay(budget)
      count = count + 1
      assert(count <= 1000)
    end
    return count
  end

  it("begins full: a thousand retries, or half as many speculative attempts and then the retries", function()
    assert.equal(1000, spend(C.mp_budget_allows_retry))
    C.mp_budget_init(budget)
    assert.equal(500, spend(C.mp_budget_allows_speculation))
    assert.equal(500, spend(C.mp_budget_allows_retry))
  end)

  it("earns one for ten requests, and ten a second", function()
    spend(C.mp_budget_allows_retry)
    for _ = 1, 95 do C.mp_budget_earn(budget) end
    assert.equal(9, spend(C.mp_budget_allows_retry))
    for _ = 1, 5 do C.mp_budget_earn(budget) end -- with the half that was left
    assert.equal(1, spend(C.mp_budget_allows_retry))
    for _ = 1, 7 do C.mp_budget_tick(budget) end
    assert.equal(70, spend(C.mp_budget_allows_retry))
  end)

  it("saves no more than a thousand, however many requests go well", function()
    for _ = 1, 100000 do C.mp_budget_earn(budget) end
    C.mp_budget_pay(budget)
    assert.equal(999, spend(C.mp_budget_allows_retry))
    for _ = 1, 1000 do C.mp_budget_tick(budget) end
    assert.equal(1000, spend(C.mp_budget_allows_retry))
  end)
end)
