-- SPDX-License-Identifier: Apache-2.0
-- Sorts with a comparator that never ends.
-- must: refused at load: attempt to call field 'sort'
return balance {
  name = "Escape",
  plan = function(plan, req)
    table.sort({ 3, 2, 1 }, function() while true do end end)
    plan:hosts(localDc, inTurn)
  end,
}
