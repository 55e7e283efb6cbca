-- SPDX-License-Identifier: Apache-2.0
-- Leaves out hosts by negative numbers.
-- must: error: plan:avoidSlow
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:avoidSlow(2, -1, -1) end
    plan:hosts(localDc, inTurn)
  end,
}
