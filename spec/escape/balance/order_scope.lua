-- SPDX-License-Identifier: Apache-2.0
-- Gives a scope for an order.
-- must: error: the second argument must be an order
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:replicas(localDc, localDc) plan:hosts(localDc, localDc) end
    plan:hosts(localDc, inTurn)
  end,
}
