-- SPDX-License-Identifier: Apache-2.0
-- Asks for hosts while it is loaded, when there is no cluster.
-- must: harmless
local seen = upCount(allDcs)
for _, host in hosts(allDcs) do seen = seen + host.index end
for _, host in replicas(dc "nowhere") do seen = seen + host.index end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if seen ~= 0 then error('there was a cluster') end
    plan:hosts(localDc, inTurn)
  end,
}
