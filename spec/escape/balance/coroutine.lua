-- SPDX-License-Identifier: Apache-2.0
-- Runs on in a coroutine.
-- must: refused at load: unknown name 'coroutine'
return balance {
  name = "Escape",
  plan = function(plan, req)
    coroutine.wrap(function() while true do end end)()
    plan:hosts(localDc, inTurn)
  end,
}
