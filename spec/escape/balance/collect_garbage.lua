-- SPDX-License-Identifier: Apache-2.0
-- Stops the garbage collector.
-- must: refused at load: unknown name 'collectgarbage'
return balance {
  name = "Escape",
  plan = function(plan, req)
    collectgarbage('stop')
    plan:hosts(localDc, inTurn)
  end,
}
