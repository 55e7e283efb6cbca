-- SPDX-License-Identifier: Apache-2.0
-- Makes itself a better host.
-- must: error: constant location
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _, host in hosts(allDcs) do host.weight = 1e308 end end
    plan:hosts(localDc, inTurn)
  end,
}
