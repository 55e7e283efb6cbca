-- SPDX-License-Identifier: Apache-2.0
-- Takes a text apart into a quarter of sixty thousand numbers.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      for _ = 1, 16 do text = text .. text end
      local _ = text:byte(1, -1)
    end
    plan:hosts(localDc, inTurn)
  end,
}
