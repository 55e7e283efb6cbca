-- SPDX-License-Identifier: Apache-2.0
-- Counts the hosts without end.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do local _ = upCount(allDcs) + random() end end
    plan:hosts(localDc, inTurn)
  end,
}
