-- SPDX-License-Identifier: Apache-2.0
-- Formats a number a hundred million wide.
-- must: refused at load: attempt to call method 'format'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = ("%99999999d"):format(1)
    plan:hosts(localDc, inTurn)
  end,
}
