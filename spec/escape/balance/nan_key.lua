-- SPDX-License-Identifier: Apache-2.0
-- Stores under NaN where LuaJIT has compiled the store.
-- must: error: table index is NaN
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f(k) local t = {} t[k] = 1 t[k + 1] = 2 return t[k] end
      for i = 1, 300 do f(i + 0.5) end
      f(0 / 0)
    end
    plan:hosts(localDc, inTurn)
  end,
}
