-- SPDX-License-Identifier: Apache-2.0
-- The local datacentre, then the others in the order of their priority in `regionSettings`, a few nodes of each. A
-- request with a LOCAL_ consistency stays at home unless that is allowed in so many words.
return balance {
  name = "RegionPriorityPolicy",
  options = {
    hostsPerRegion = 3, -- of each remote datacentre, 0: all
    allowRemoteDCsForLocalConsistencyLevel = false,
  },
  check = function(options)
    local hosts = options.hostsPerRegion
    if hosts < 0 or hosts ~= math.floor(hosts) then
      error("hostsPerRegion: got " .. hosts .. "; must be a whole number, 0 or more")
    end
  end,
  plan = function(plan, req, options)
    plan:replicas(localDc, req.isLwt and primaryFirst or shuffled)
    plan:hosts(localDc, inTurn)
    if not req.isLocalConsistency or options.allowRemoteDCsForLocalConsistencyLevel then
      plan:hosts(remoteDcs, inTurn, options.hostsPerRegion)
    end
  end,
}
