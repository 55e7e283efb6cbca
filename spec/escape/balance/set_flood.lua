-- SPDX-License-Identifier: Apache-2.0
-- Filters by more sets than there are.
-- must: error: tagged: too many
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for i = 1, 100 do plan:avoid(tagged("t" .. i)) end end
    plan:hosts(localDc, inTurn)
  end,
}
