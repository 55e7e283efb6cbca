-- SPDX-License-Identifier: Apache-2.0
-- Recurses with the bytes of a text.
-- must: error: stack overflow
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "x"
      for _ = 1, 12 do text = text .. text end
      local function f(...) return 1 + f(text:byte(1, -1)) end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
