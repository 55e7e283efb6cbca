-- SPDX-License-Identifier: Apache-2.0
-- Moves along the plan.
-- must: refused at load: attempt to perform arithmetic
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = plan + 1
    plan:hosts(localDc, inTurn)
  end,
}
