-- SPDX-License-Identifier: Apache-2.0
-- My rack first, because what stays in it crosses no other switch; then the other replicas, then whoever is up.
return balance {
  name = "PreferRack",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    if not req.isLwt then plan:replicas(sameRack, leastLoaded) end
    plan:child(req)
  end,
}
