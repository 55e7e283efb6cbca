-- SPDX-License-Identifier: Apache-2.0
-- Loops while it is loaded.
-- must: refused at load: out of fuel
while true do end
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
