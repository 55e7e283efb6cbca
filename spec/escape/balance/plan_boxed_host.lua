-- SPDX-License-Identifier: Apache-2.0
-- Gives a 64-bit number for a host.
-- must: refused at load: plan:host: that is not a host
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan:host(0x7fffffffffffffffLL)
    plan:hosts(localDc, inTurn)
  end,
}
