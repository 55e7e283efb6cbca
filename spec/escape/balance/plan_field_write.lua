-- SPDX-License-Identifier: Apache-2.0
-- Writes the plan's one field.
-- must: refused at load: constant location
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan.policy = 1
    plan:hosts(localDc, inTurn)
  end,
}
