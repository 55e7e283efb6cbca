-- SPDX-License-Identifier: Apache-2.0
-- Yields.
-- must: refused at load: unknown name 'coroutine'
return balance {
  name = "Escape",
  plan = function(plan, req)
    coroutine.yield()
    plan:hosts(localDc, inTurn)
  end,
}
