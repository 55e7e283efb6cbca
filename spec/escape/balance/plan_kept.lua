-- SPDX-License-Identifier: Apache-2.0
-- Keeps a plan and a request over calls and uses them later.
-- must: harmless
local oldPlan, oldReq
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      oldPlan = oldPlan or plan
      oldReq = oldReq or req
      oldPlan:hosts(oldReq.isRead and localDc or allDcs, inTurn)
    end
    plan:hosts(localDc, inTurn)
  end,
}
