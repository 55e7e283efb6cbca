-- SPDX-License-Identifier: Apache-2.0
-- Loops with while.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do end end
    plan:hosts(localDc, inTurn)
  end,
}
