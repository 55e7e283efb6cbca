-- SPDX-License-Identifier: Apache-2.0
-- Filters by a set that nobody made.
-- must: error: plan:only
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:only(0x400 + 15) end
    plan:hosts(localDc, inTurn)
  end,
}
