-- SPDX-License-Identifier: Apache-2.0
-- Keeps hosts and gives them later, when they may be gone.
-- must: harmless
local kept = {}
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      for i, host in hosts(allDcs) do kept[i] = host end
      for i = 1, 5 do
        if kept[i] then plan:host(kept[i]) end
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
