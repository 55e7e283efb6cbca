-- SPDX-License-Identifier: Apache-2.0
-- Gives each host a thousand times.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ = 1, 1000 do for _, host in hosts(allDcs) do plan:host(host) end end end
    plan:hosts(localDc, inTurn)
  end,
}
