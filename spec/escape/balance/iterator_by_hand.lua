-- SPDX-License-Identifier: Apache-2.0
-- Calls the iterators of hosts with numbers of its own.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local step, scope = hosts(allDcs)
      for _, position in next, { -1, 1e9, 2 ^ 31, -2 ^ 31, 2 ^ 53, 0 / 0, 1 / 0, -1 / 0, 0.5 } do
        local _, host = step(scope, position)
        if host then plan:host(host) end
        step(-1, position)
        step(2 ^ 53, position)
      end
      step = replicas(allDcs)
      for _, position in next, { -1, 1e9, 2 ^ 31, -2 ^ 31, 2 ^ 53, 0 / 0, 1 / 0, -1 / 0, 0.5 } do
        local _, host = step(scope, position)
        if host then plan:host(host) end
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
