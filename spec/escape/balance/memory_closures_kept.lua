-- SPDX-License-Identifier: Apache-2.0
-- Keeps functions that keep what they saw, over calls.
-- must: error: 
local kept = {}
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      for _ = 1, 4000 do
        local seen = { req, plan, #kept }
        kept[#kept + 1] = function() return seen end
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
