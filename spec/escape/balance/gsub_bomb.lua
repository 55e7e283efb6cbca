-- SPDX-License-Identifier: Apache-2.0
-- Replaces with a pattern.
-- must: refused at load: attempt to call method 'gsub'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = ("a"):gsub("", "b")
    plan:hosts(localDc, inTurn)
  end,
}
