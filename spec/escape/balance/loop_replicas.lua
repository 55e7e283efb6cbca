-- SPDX-License-Identifier: Apache-2.0
-- Walks the replicas without end.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do for _, host in replicas(allDcs) do local _ = host.inFlight end end end
    plan:hosts(localDc, inTurn)
  end,
}
