-- SPDX-License-Identifier: Apache-2.0
-- Walks a table that is all holes.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      for i = 1, 4000 do t["k" .. i] = i end
      for i = 1, 3999 do t["k" .. i] = nil end
      while true do next(t) end
    end
    plan:hosts(localDc, inTurn)
  end,
}
