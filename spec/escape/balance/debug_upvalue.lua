-- SPDX-License-Identifier: Apache-2.0
-- Fills the gauge through an upvalue.
-- must: refused at load: unknown name 'debug'
return balance {
  name = "Escape",
  plan = function(plan, req)
    debug.setupvalue(plan.hosts, 1, 1e18)
    plan:hosts(localDc, inTurn)
  end,
}
