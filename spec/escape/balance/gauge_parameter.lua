-- SPDX-License-Identifier: Apache-2.0
-- Shadows the gauge by a parameter.
-- must: refused at load: names that begin with __mp_ are moonpool's own
local function f(__mp_fuel) return __mp_fuel end
return balance {
  name = "Escape",
  plan = function(plan, req)
    f(1)
    plan:hosts(localDc, inTurn)
  end,
}
