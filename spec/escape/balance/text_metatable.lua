-- SPDX-License-Identifier: Apache-2.0
-- Takes the metatable of all texts.
-- must: refused at load: unknown name 'getmetatable'
return balance {
  name = "Escape",
  plan = function(plan, req)
    getmetatable("").__index = nil
    plan:hosts(localDc, inTurn)
  end,
}
