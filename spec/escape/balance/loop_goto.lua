-- SPDX-License-Identifier: Apache-2.0
-- Loops with goto.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then ::again:: goto again end
    plan:hosts(localDc, inTurn)
  end,
}
