-- SPDX-License-Identifier: Apache-2.0
-- Leaves out hosts that are slower than NaN.
-- must: error: plan:avoidSlow
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:avoidSlow(0 / 0, 0 / 0, 0 / 0) end
    plan:hosts(localDc, inTurn)
  end,
}
