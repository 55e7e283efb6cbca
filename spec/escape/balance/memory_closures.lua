-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by functions.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      while true do t[#t + 1] = function() return t end end
    end
    plan:hosts(localDc, inTurn)
  end,
}
