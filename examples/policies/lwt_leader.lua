-- SPDX-License-Identifier: Apache-2.0
-- All lightweight transactions for a row go to the same node, the row's first replica that is up, from wherever they
-- come: two that meet on different nodes cost each other a round. Other requests leave that node alone if they can.
return balance {
  name = "LwtLeader",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    if req.isLwt then
      plan:replicas(allDcs, primaryFirst)
    else
      plan:replicas(localDc, leastLoaded)
    end
    plan:child(req)
  end,
}
