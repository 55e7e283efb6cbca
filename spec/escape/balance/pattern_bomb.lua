-- SPDX-License-Identifier: Apache-2.0
-- Searches with a pattern that never ends.
-- must: refused at load: attempt to call method 'find'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"):find(".-.-.-.-.-.-.-.-b")
    plan:hosts(localDc, inTurn)
  end,
}
