-- SPDX-License-Identifier: Apache-2.0
-- Makes an object with a finaliser.
-- must: refused at load: unknown name 'newproxy'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function() while true do end end
    plan:hosts(localDc, inTurn)
  end,
}
