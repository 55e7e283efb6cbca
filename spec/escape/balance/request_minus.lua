-- SPDX-License-Identifier: Apache-2.0
-- Takes the distance of two objects.
-- must: refused at load: attempt to perform arithmetic
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = req - plan
    plan:hosts(localDc, inTurn)
  end,
}
