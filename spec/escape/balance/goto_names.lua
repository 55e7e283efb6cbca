-- SPDX-License-Identifier: Apache-2.0
-- Loops with gotos among fields, methods, locals and labels of that name.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local goto = { goto = 1 }
      function goto.x(self) return self end
      ::goto::
      goto.goto = goto.goto
      goto:x() local y = goto.goto
      ::again::
      local z = { goto, goto = goto }
      if z then goto again end
    end
    plan:hosts(localDc, inTurn)
  end,
}
