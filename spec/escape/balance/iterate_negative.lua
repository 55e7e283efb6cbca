-- SPDX-License-Identifier: Apache-2.0
-- Walks the hosts of the scope -1.
-- must: error: the first argument must be a scope
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _, host in hosts(-1) do plan:host(host) end end
    plan:hosts(localDc, inTurn)
  end,
}
