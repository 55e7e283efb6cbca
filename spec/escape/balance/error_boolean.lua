-- SPDX-License-Identifier: Apache-2.0
-- Raises a boolean.
-- must: error: error with a boolean value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error(true) end
    plan:hosts(localDc, inTurn)
  end,
}
