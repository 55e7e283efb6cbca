-- SPDX-License-Identifier: Apache-2.0
-- Looks behind a host.
-- must: error: a host has no field
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _, host in hosts(allDcs) do log(host[1].weight) end end
    plan:hosts(localDc, inTurn)
  end,
}
