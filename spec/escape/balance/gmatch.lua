-- SPDX-License-Identifier: Apache-2.0
-- Walks through a pattern.
-- must: refused at load: attempt to call method 'gmatch'
return balance {
  name = "Escape",
  plan = function(plan, req)
    for _ in ("a"):gmatch("") do break end
    plan:hosts(localDc, inTurn)
  end,
}
