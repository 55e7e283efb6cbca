-- SPDX-License-Identifier: Apache-2.0
-- Loops by jumping out of blocks to a label above them.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local n = 0
      ::again::
      do do if n >= 0 then do goto again end end end end
    end
    plan:hosts(localDc, inTurn)
  end,
}
