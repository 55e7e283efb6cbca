-- SPDX-License-Identifier: Apache-2.0
-- Filters without end.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do plan:avoid(tagged "x") plan:allowAll() end end
    plan:hosts(localDc, inTurn)
  end,
}
