-- SPDX-License-Identifier: Apache-2.0
-- Gives 2^53 for a scope.
-- must: error: the first argument must be a scope
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:hosts(2 ^ 53) end
    plan:hosts(localDc, inTurn)
  end,
}
