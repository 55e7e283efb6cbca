-- SPDX-License-Identifier: Apache-2.0
-- Reads constants of a function.
-- must: refused at load: unknown name 'jit'
return balance {
  name = "Escape",
  plan = function(plan, req)
    jit.util.funck(plan.hosts, 0)
    plan:hosts(localDc, inTurn)
  end,
}
