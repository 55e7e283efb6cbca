-- SPDX-License-Identifier: Apache-2.0
-- Raises an error of sixty thousand letters.
-- must: error: xxxxxxxx
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      for _ = 1, 16 do text = text .. text end
      error(text)
    end
    plan:hosts(localDc, inTurn)
  end,
}
