-- SPDX-License-Identifier: Apache-2.0
-- Makes tables and drops them.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do local _ = { 1, 2 } end end
    plan:hosts(localDc, inTurn)
  end,
}
