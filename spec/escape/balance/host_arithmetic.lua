-- SPDX-License-Identifier: Apache-2.0
-- Moves along the hosts.
-- must: error: attempt to perform arithmetic
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _, host in hosts(allDcs) do plan:host(host + 60000) end end
    plan:hosts(localDc, inTurn)
  end,
}
