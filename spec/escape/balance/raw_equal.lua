-- SPDX-License-Identifier: Apache-2.0
-- Compares around a metatable.
-- must: refused at load: unknown name 'rawequal'
return balance {
  name = "Escape",
  plan = function(plan, req)
    rawequal(req, plan)
    plan:hosts(localDc, inTurn)
  end,
}
