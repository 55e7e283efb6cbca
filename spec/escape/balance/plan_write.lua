-- SPDX-License-Identifier: Apache-2.0
-- Replaces a method of the plan.
-- must: refused at load: plan is read-only
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan.hosts = nil
    plan:hosts(localDc, inTurn)
  end,
}
