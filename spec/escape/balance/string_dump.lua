-- SPDX-License-Identifier: Apache-2.0
-- Dumps a function.
-- must: refused at load: attempt to call field 'dump'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local code = string.dump(plan.hosts)
    log(code)
    plan:hosts(localDc, inTurn)
  end,
}
