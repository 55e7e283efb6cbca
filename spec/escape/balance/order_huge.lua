-- SPDX-License-Identifier: Apache-2.0
-- Gives 2^53 for an order.
-- must: error: the second argument must be an order
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:replicas(localDc, 2 ^ 53) plan:hosts(localDc, 2 ^ 53) end
    plan:hosts(localDc, inTurn)
  end,
}
