-- SPDX-License-Identifier: Apache-2.0
-- Gives numbers a metatable.
-- must: refused at load: unknown name 'debug'
return balance {
  name = "Escape",
  plan = function(plan, req)
    debug.setmetatable(0, { __index = function() while true do end end })
    plan:hosts(localDc, inTurn)
  end,
}
