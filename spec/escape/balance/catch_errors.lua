-- SPDX-License-Identifier: Apache-2.0
-- Swallows the end of its fuel, again and again.
-- must: refused at load: unknown name 'pcall'
return balance {
  name = "Escape",
  plan = function(plan, req)
    while true do pcall(function() while true do end end) end
    plan:hosts(localDc, inTurn)
  end,
}
