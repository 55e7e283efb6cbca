-- SPDX-License-Identifier: Apache-2.0
-- Recurses with more arguments each time.
-- must: error: stack overflow
local function f(...) return 1 + f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, ...) end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
