-- SPDX-License-Identifier: Apache-2.0
-- Gives the request another metatable.
-- must: refused at load: unknown name 'setmetatable'
return balance {
  name = "Escape",
  plan = function(plan, req)
    setmetatable(req, {})
    plan:hosts(localDc, inTurn)
  end,
}
