-- SPDX-License-Identifier: Apache-2.0
-- Runs on in a message handler.
-- must: refused at load: unknown name 'xpcall'
return balance {
  name = "Escape",
  plan = function(plan, req)
    xpcall(error, function() while true do end end)
    plan:hosts(localDc, inTurn)
  end,
}
