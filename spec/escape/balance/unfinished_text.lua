-- SPDX-License-Identifier: Apache-2.0
-- Hides the loader's ticks in a text that does not end.
-- must: refused at load: unfinished
local text = [==[ while true do end ]=]
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
