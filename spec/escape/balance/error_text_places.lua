-- SPDX-License-Identifier: Apache-2.0
-- Raises an error full of places in files.
-- must: error: .lua:1:
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "#1:1:"
      for _ = 1, 8 do text = text .. text end
      error(text, 0)
    end
    plan:hosts(localDc, inTurn)
  end,
}
