-- SPDX-License-Identifier: Apache-2.0
-- Writes under nil and NaN.
-- must: error: table index is
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      t[0 / 0] = 1
    end
    plan:hosts(localDc, inTurn)
  end,
}
