-- SPDX-License-Identifier: Apache-2.0
-- Loops with goto and works meanwhile.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local n = 0
      ::again::
      n = n + 1
      if n > 0 then goto again end
    end
    plan:hosts(localDc, inTurn)
  end,
}
