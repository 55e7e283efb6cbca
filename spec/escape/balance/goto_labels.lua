-- SPDX-License-Identifier: Apache-2.0
-- Loops through several labels in a row.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      ::a:: ::b:: ::c::
      do goto b end
    end
    plan:hosts(localDc, inTurn)
  end,
}
