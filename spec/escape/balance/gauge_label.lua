-- SPDX-License-Identifier: Apache-2.0
-- Shadows the gauge by a label.
-- must: refused at load: names that begin with __mp_ are moonpool's own
return balance {
  name = "Escape",
  plan = function(plan, req)
    goto __mp_more
    ::__mp_more::
    plan:hosts(localDc, inTurn)
  end,
}
