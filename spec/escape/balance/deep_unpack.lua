-- SPDX-License-Identifier: Apache-2.0
-- Recurses with seven thousand values on each level.
-- must: error: stack overflow
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      for i = 1, 7000 do t[i] = i end
      local function f(...) return 1 + f(unpack(t)) end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
