-- SPDX-License-Identifier: Apache-2.0
-- While half of the nodes are old machines: each gets its share by weight, which a handler sets and may raise day by
-- day. Not by replicas, so that a strong node is not idle because it happens to own fewer rows.
return balance {
  name = "Migration",
  options = { childPolicy = "DCAwareRoundRobinPolicy" },
  plan = function(plan, req)
    if req.isLwt then plan:replicas(localDc, primaryFirst) end
    plan:hosts(localDc, weighted)
    plan:child(req)
  end,
}
