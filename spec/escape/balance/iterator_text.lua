-- SPDX-License-Identifier: Apache-2.0
-- Calls the iterator of hosts with texts.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local step = hosts(allDcs)
      step("localDc", {})
    end
    plan:hosts(localDc, inTurn)
  end,
}
