-- SPDX-License-Identifier: Apache-2.0
-- Filters by NaN.
-- must: error: plan:only
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:only(0 / 0) end
    plan:hosts(localDc, inTurn)
  end,
}
