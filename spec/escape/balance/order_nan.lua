-- SPDX-License-Identifier: Apache-2.0
-- Gives NaN for an order.
-- must: error: the second argument must be an order
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:replicas(localDc, 0 / 0) plan:hosts(localDc, 0 / 0) end
    plan:hosts(localDc, inTurn)
  end,
}
