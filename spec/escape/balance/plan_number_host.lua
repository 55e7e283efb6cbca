-- SPDX-License-Identifier: Apache-2.0
-- Gives a number for a host.
-- must: refused at load: plan:host: that is not a host
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan:host(5)
    plan:hosts(localDc, inTurn)
  end,
}
