-- SPDX-License-Identifier: Apache-2.0
-- Loops with arguments that grow.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f(...) if select('#', ...) > 100 then return f() end return f(1, ...) end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
