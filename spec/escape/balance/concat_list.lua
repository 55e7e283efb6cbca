-- SPDX-License-Identifier: Apache-2.0
-- Concatenates a list.
-- must: refused at load: attempt to call field 'concat'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = table.concat({}, 'x', 1, 1e9)
    plan:hosts(localDc, inTurn)
  end,
}
