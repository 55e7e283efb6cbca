-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by tables.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      while true do t[#t + 1] = { 1, 2, 3 } end
    end
    plan:hosts(localDc, inTurn)
  end,
}
