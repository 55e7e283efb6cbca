-- SPDX-License-Identifier: Apache-2.0
-- Orders two objects by their addresses.
-- must: refused at load: attempt to compare
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = req < plan
    plan:hosts(localDc, inTurn)
  end,
}
