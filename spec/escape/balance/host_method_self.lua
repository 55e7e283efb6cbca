-- SPDX-License-Identifier: Apache-2.0
-- Calls a host's method on something else.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _, host in hosts(allDcs) do host.inDc({ dcId = 65535 }, 5) end end
    plan:hosts(localDc, inTurn)
  end,
}
