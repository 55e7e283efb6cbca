-- SPDX-License-Identifier: Apache-2.0
-- Loops with repeat.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then repeat local _ = req.tag until false end
    plan:hosts(localDc, inTurn)
  end,
}
