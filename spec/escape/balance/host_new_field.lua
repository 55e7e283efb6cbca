-- SPDX-License-Identifier: Apache-2.0
-- Writes a new field of a host.
-- must: error: a host is read-only
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _, host in hosts(allDcs) do host.password = 'x' end end
    plan:hosts(localDc, inTurn)
  end,
}
