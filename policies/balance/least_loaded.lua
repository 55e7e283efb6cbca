-- SPDX-License-Identifier: Apache-2.0
-- Of two replicas drawn at random the one with fewer requests in flight: nearly as even as looking at all of them, and
-- no node is flooded because everybody sees that it is the idlest. A node that came up less than a minute ago takes
-- second place until its caches are warm.
return balance {
  name = "LeastLoadedPolicy",
  options = {
    childPolicy = "DCAwareRoundRobinPolicy", -- what follows behind the local datacentre
  },
  plan = function(plan, req)
    plan:replicas(localDc, req.isLwt and primaryFirst or leastLoaded)
    plan:hosts(localDc, leastLoaded)
    plan:child(req)
  end,
}
