-- SPDX-License-Identifier: Apache-2.0
-- Two functions call each other at their tails.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local g
      local function f() return g() end
      function g() return f() end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
