-- SPDX-License-Identifier: Apache-2.0
-- Calls methods of a plan while it is loaded.
-- must: refused at load: unknown name 'plan'
plan:hosts(localDc)
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
