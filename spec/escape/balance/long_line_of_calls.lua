-- SPDX-License-Identifier: Apache-2.0
-- Works hard between two ticks.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      for _ = 1, 15 do text = text .. text end
      while true do
        local _ = text:upper(), text:lower(), text:upper(), text:lower(), text:upper(), text:lower()
        _ = text:upper(), text:lower(), text:upper(), text:lower(), text:upper(), text:lower()
        _ = text .. "a", text .. "b", text .. "c", text .. "d", text .. "e", text .. "f", text .. "g", text .. "h"
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
