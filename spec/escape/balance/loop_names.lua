-- SPDX-License-Identifier: Apache-2.0
-- Asks for a tag without end.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then while true do local _ = tags.evil == keyspaces.ks end end
    plan:hosts(localDc, inTurn)
  end,
}
