-- SPDX-License-Identifier: Apache-2.0
-- Walks a table again and again.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = { 1, 2, 3 }
      while true do for _ in pairs(t) do end end
    end
    plan:hosts(localDc, inTurn)
  end,
}
