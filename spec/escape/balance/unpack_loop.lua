-- SPDX-License-Identifier: Apache-2.0
-- Unpacks seven thousand values, without end.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      for i = 1, 7000 do t[i] = i end
      while true do local _ = select("#", unpack(t)) end
    end
    plan:hosts(localDc, inTurn)
  end,
}
