-- SPDX-License-Identifier: Apache-2.0
-- Indexes the plan as an array.
-- must: refused at load: cannot be indexed with 'number'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = plan[0].policy
    plan:hosts(localDc, inTurn)
  end,
}
