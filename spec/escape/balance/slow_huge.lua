-- SPDX-License-Identifier: Apache-2.0
-- Leaves out hosts that are slower than 2^53.
-- must: error: plan:avoidSlow
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:avoidSlow(2 ^ 53) end
    plan:hosts(localDc, inTurn)
  end,
}
