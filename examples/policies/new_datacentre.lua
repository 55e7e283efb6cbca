-- SPDX-License-Identifier: Apache-2.0
-- One read in a hundred goes to a datacentre that is being built, to see how it does under real requests before it
-- serves. When it fails there, the next host is one of those that always served.
return balance {
  name = "NewDatacentre",
  options = { share = 0.01, childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req, options)
    if req.isRead and not req.isLwt and chance(options.share) then
      plan:replicas(dc "new", shuffled, 1)
      plan:hosts(dc "new", inTurn, 1)
    end
    plan:child(req)
  end,
}
