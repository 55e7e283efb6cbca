-- SPDX-License-Identifier: Apache-2.0
-- Calls the refill.
-- must: refused at load: names that begin with __mp_ are moonpool's own
return balance {
  name = "Escape",
  plan = function(plan, req)
    __mp_more()
    plan:hosts(localDc, inTurn)
  end,
}
