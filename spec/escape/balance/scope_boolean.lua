-- SPDX-License-Identifier: Apache-2.0
-- Gives a boolean for a scope.
-- must: error: the first argument must be a scope
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:hosts(true) end
    plan:hosts(localDc, inTurn)
  end,
}
