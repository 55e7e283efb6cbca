-- SPDX-License-Identifier: Apache-2.0
-- Counts to 10^18.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ = 1, 1e18 do end end
    plan:hosts(localDc, inTurn)
  end,
}
