-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by one table.
-- must: error: not enough memory
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      for i = 1, 1e7 do t[i] = i end
    end
    plan:hosts(localDc, inTurn)
  end,
}
