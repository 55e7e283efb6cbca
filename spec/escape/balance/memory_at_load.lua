-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory while it is loaded.
-- must: refused at load: not enough memory
local t = {}
for i = 1, 1e7 do t[i] = { i } end
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
