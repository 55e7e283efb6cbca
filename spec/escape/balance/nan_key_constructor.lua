-- SPDX-License-Identifier: Apache-2.0
-- Makes tables with NaN as a key where LuaJIT has compiled the constructor.
-- must: error: table index is NaN
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local nan = 0 / 0
      for i = 1, 300 do
        local k = i < 290 and i + 0.5 or nan
        local t = { [k] = 1, [k + 1] = 2, [k - 1] = 3 }
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
