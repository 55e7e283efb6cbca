-- SPDX-License-Identifier: Apache-2.0
-- Fills its own tank.
-- must: refused at load: names that begin with __mp_ are moonpool's own
return balance {
  name = "Escape",
  plan = function(plan, req)
    __mp_fuel = 1e18
    plan:hosts(localDc, inTurn)
  end,
}
