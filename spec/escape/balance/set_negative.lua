-- SPDX-License-Identifier: Apache-2.0
-- Filters by a negative set.
-- must: error: plan:avoid
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:avoid(-2 ^ 40) end
    plan:hosts(localDc, inTurn)
  end,
}
