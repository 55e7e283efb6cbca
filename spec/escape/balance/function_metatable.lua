-- SPDX-License-Identifier: Apache-2.0
-- Gives functions a metatable.
-- must: refused at load: unknown name 'setmetatable'
return balance {
  name = "Escape",
  plan = function(plan, req)
    setmetatable(function() end, { __index = plan })
    plan:hosts(localDc, inTurn)
  end,
}
