-- SPDX-License-Identifier: Apache-2.0
-- Unpacks values at the end of all numbers.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then unpack({}, -2 ^ 31, 2 ^ 31 - 1) end
    plan:hosts(localDc, inTurn)
  end,
}
