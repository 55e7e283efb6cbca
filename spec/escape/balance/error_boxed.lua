-- SPDX-License-Identifier: Apache-2.0
-- Raises a 64-bit number.
-- must: error: error with a cdata value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error(1LL) end
    plan:hosts(localDc, inTurn)
  end,
}
