-- SPDX-License-Identifier: Apache-2.0
-- Sorts ten thousand numbers the slow way.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      for i = 1, 10000 do t[i] = -i end
      for i = 1, #t do
        for j = 1, #t do
          if t[i] < t[j] then t[i], t[j] = t[j], t[i] end
        end
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
