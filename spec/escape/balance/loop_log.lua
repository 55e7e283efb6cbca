-- SPDX-License-Identifier: Apache-2.0
-- Writes to the log without end.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do log("again and again") end end
    plan:hosts(localDc, inTurn)
  end,
}
