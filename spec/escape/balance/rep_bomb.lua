-- SPDX-License-Identifier: Apache-2.0
-- Repeats a text a thousand million times.
-- must: refused at load: attempt to call method 'rep'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = ("x"):rep(1e9)
    plan:hosts(localDc, inTurn)
  end,
}
