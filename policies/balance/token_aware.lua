-- SPDX-License-Identifier: Apache-2.0
-- The local replicas of the row first, so that the node that is asked has the data; then what the child policy says.
-- Lightweight transactions go to the first replica: two that meet on different nodes cost each other a round.
return balance {
  name = "TokenAwarePolicy",
  options = {
    childPolicy = "DCAwareRoundRobinPolicy",
    shuffleReplicas = true,
    preferLocalRack = false, -- replicas of the session's own rack before those of other racks
  },
  plan = function(plan, req, options)
    if options.preferLocalRack and not req.isLwt then plan:replicas(sameRack, shuffled) end
    plan:replicas(localDc, options.shuffleReplicas and not req.isLwt and shuffled or primaryFirst)
    plan:child(req)
  end,
}
