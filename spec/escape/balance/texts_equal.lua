-- SPDX-License-Identifier: Apache-2.0
-- Makes the same long text again and again.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      for _ = 1, 16 do text = text .. text end
      while true do local _ = text .. "" end
    end
    plan:hosts(localDc, inTurn)
  end,
}
