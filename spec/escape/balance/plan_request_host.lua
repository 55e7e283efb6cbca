-- SPDX-License-Identifier: Apache-2.0
-- Gives the request for a host.
-- must: refused at load: plan:host: that is not a host
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan:host(req)
    plan:hosts(localDc, inTurn)
  end,
}
