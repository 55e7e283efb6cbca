-- SPDX-License-Identifier: Apache-2.0
-- Keeps a little more with each call.
-- must: error: not enough memory
local kept, n = {}, 0
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      for _ = 1, 15 do text = text .. text end
      for _ = 1, 20 do
        n = n + 1
        kept[n] = text .. n
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
