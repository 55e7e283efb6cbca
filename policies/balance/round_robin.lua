-- SPDX-License-Identifier: Apache-2.0
-- Every node that is up, in turn: an even spread over the whole cluster. For a cluster of one datacentre.
return balance {
  name = "RoundRobinPolicy",
  plan = function(plan)
    plan:hosts(allDcs, inTurn)
  end,
}
