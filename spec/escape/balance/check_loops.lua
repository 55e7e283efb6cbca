-- SPDX-License-Identifier: Apache-2.0
-- Loops in its check.
-- must: refused at load: out of fuel
return balance {
  name = "Escape",
  check = function() while true do end end,
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
