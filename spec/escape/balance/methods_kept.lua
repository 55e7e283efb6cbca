-- SPDX-License-Identifier: Apache-2.0
-- Calls methods of the plan on other things.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local add = plan.hosts
      add(nil, localDc)
      add("plan", localDc)
      add({}, localDc, shuffled)
      plan.only(5, tagged "x")
      plan.allowAll()
    end
    plan:hosts(localDc, inTurn)
  end,
}
