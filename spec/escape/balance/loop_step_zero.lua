-- SPDX-License-Identifier: Apache-2.0
-- Counts in steps of zero.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ = 1, 2, 0 do end end
    plan:hosts(localDc, inTurn)
  end,
}
