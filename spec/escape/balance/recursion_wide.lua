-- SPDX-License-Identifier: Apache-2.0
-- Calls itself with arguments that grow.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f(...) return f(1, 2, 3, ...) + 1 end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
