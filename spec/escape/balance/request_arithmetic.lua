-- SPDX-License-Identifier: Apache-2.0
-- Moves along the request.
-- must: refused at load: attempt to perform arithmetic
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = req + 1
    plan:hosts(localDc, inTurn)
  end,
}
