-- SPDX-License-Identifier: Apache-2.0
-- Gives nil a metatable.
-- must: refused at load: unknown name 'debug'
return balance {
  name = "Escape",
  plan = function(plan, req)
    debug.setmetatable(nil, { __call = function() end })
    plan:hosts(localDc, inTurn)
  end,
}
