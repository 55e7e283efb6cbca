-- SPDX-License-Identifier: Apache-2.0
-- Loops in loops.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ = 1, 1e9 do for _ = 1, 1e9 do end end end
    plan:hosts(localDc, inTurn)
  end,
}
