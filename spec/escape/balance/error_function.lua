-- SPDX-License-Identifier: Apache-2.0
-- Raises a function.
-- must: error: error with a function value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error(function() end) end
    plan:hosts(localDc, inTurn)
  end,
}
