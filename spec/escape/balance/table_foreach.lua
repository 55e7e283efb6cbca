-- SPDX-License-Identifier: Apache-2.0
-- Walks a table inside of C.
-- must: refused at load: attempt to call field 'foreach'
return balance {
  name = "Escape",
  plan = function(plan, req)
    table.foreach({ 1 }, function() while true do end end)
    plan:hosts(localDc, inTurn)
  end,
}
