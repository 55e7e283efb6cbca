-- SPDX-License-Identifier: Apache-2.0
-- Gives a datacentre that nobody named for a scope.
-- must: error: the first argument must be a scope
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:hosts(0x1bf) end
    plan:hosts(localDc, inTurn)
  end,
}
