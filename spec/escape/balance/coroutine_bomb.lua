-- SPDX-License-Identifier: Apache-2.0
-- Starts coroutines without end.
-- must: refused at load: unknown name 'coroutine'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local all = {}
    while true do all[#all + 1] = coroutine.create(function() end) end
    plan:hosts(localDc, inTurn)
  end,
}
