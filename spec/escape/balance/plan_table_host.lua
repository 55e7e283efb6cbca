-- SPDX-License-Identifier: Apache-2.0
-- Gives a table that looks like a host.
-- must: refused at load: plan:host: that is not a host
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan:host({ index = 65534, isUp = true })
    plan:hosts(localDc, inTurn)
  end,
}
