-- SPDX-License-Identifier: Apache-2.0
-- Makes lists of hosts without end.
-- must: error: listed: too many
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for i = 1, 100 do plan:avoid(listed { "10.0.0." .. i }) end end
    plan:hosts(localDc, inTurn)
  end,
}
