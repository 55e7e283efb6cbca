-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by texts.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t, text = {}, "x"
      for _ = 1, 15 do text = text .. text end
      for i = 1, 1000000 do t[i] = text .. i end
    end
    plan:hosts(localDc, inTurn)
  end,
}
