-- SPDX-License-Identifier: Apache-2.0
-- The replicas of my rack, then my datacentre, then two hosts of any other.
return balance {
  name = "RackFirst",
  options = { spare = 2 },
  plan = function(plan, req, options)
    plan:replicas(sameRack, shuffled)
    plan:hosts(localDc, inTurn)
    if not req.isLocalConsistency then plan:hosts(remoteDcs, inTurn, options.spare) end
  end,
}
