-- SPDX-License-Identifier: Apache-2.0
-- Keeps the plan in a global.
-- must: refused at load: 'stolen' is not declared
return balance {
  name = "Escape",
  plan = function(plan, req)
    stolen = plan
    plan:hosts(localDc, inTurn)
  end,
}
