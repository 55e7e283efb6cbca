-- SPDX-License-Identifier: Apache-2.0
-- Nodes by chance in proportion to their weight, replicas first. A weight is 1 until a handler sets it:
-- pool:setHostWeight("10.0.0.4", 0.25). A node of weight 0 is asked only when there is no other.
return balance {
  name = "WeightedPolicy",
  options = {
    childPolicy = "DCAwareRoundRobinPolicy", -- what follows behind the local datacentre
  },
  plan = function(plan, req)
    plan:replicas(localDc, req.isLwt and primaryFirst or weighted)
    plan:hosts(localDc, weighted)
    plan:child(req)
  end,
}
