-- SPDX-License-Identifier: Apache-2.0
-- Doubles a text without end.
-- must: error: not enough memory
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      while true do text = text .. text end
    end
    plan:hosts(localDc, inTurn)
  end,
}
