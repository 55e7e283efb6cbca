-- SPDX-License-Identifier: Apache-2.0
-- Calls itself at its tail.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f(n) return f(n + 1) end
      f(1)
    end
    plan:hosts(localDc, inTurn)
  end,
}
