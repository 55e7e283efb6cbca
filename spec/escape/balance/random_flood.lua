-- SPDX-License-Identifier: Apache-2.0
-- Draws ten thousand numbers.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local n = 0
      for _ = 1, 10000 do n = n + random() end
      if chance(0 / 0) or chance('x' == 1 and 1 or -1) then error('drawn') end
    end
    plan:hosts(localDc, inTurn)
  end,
}
