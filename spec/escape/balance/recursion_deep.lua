-- SPDX-License-Identifier: Apache-2.0
-- Calls itself without end.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f(n) return 1 + f(n) end
      f(1)
    end
    plan:hosts(localDc, inTurn)
  end,
}
