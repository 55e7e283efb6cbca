-- SPDX-License-Identifier: Apache-2.0
-- The nodes of the local datacentre in turn, then, if that is wanted, a few of each remote one. A request with a LOCAL_
-- consistency promises an answer of the local datacentre, so it does not leave it unless that is allowed explicitly.
return balance {
  name = "DCAwareRoundRobinPolicy",
  options = {
    usedHostsPerRemoteDc = 0,
    allowRemoteDCsForLocalConsistencyLevel = false,
  },
  check = function(options)
    local used = options.usedHostsPerRemoteDc
    if used < 0 or used ~= math.floor(used) then
      error("usedHostsPerRemoteDc: got " .. used .. "; must be a whole number, 0 or more")
    end
  end,
  plan = function(plan, req, options)
    plan:hosts(localDc, inTurn)
    if options.usedHostsPerRemoteDc == 0 then return end
    if not req.isLocalConsistency or options.allowRemoteDCsForLocalConsistencyLevel then
      plan:hosts(remoteDcs, inTurn, options.usedHostsPerRemoteDc)
    end
  end,
}
