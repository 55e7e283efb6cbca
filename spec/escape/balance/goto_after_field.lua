-- SPDX-License-Identifier: Apache-2.0
-- Ends a statement with the field goto, before a goto.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t, x = {}
      ::again::
      x = t.goto
      goto again
    end
    plan:hosts(localDc, inTurn)
  end,
}
