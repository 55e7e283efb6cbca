-- SPDX-License-Identifier: Apache-2.0
-- Counts to infinity.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ = 1, math.huge do end end
    plan:hosts(localDc, inTurn)
  end,
}
