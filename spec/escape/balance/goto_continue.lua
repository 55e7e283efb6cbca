-- SPDX-License-Identifier: Apache-2.0
-- Jumps over declarations to the end of blocks.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      for i = 1, 20 do
        if i % 2 == 0 then goto continue end
        local x = i
        if x > 10 then goto continue end
        local y = x
        if y == 7 then goto continue end
        ::continue::
      end
      do goto over local z ::over:: ::too:: end
    end
    plan:hosts(localDc, inTurn)
  end,
}
