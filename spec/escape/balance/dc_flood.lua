-- SPDX-License-Identifier: Apache-2.0
-- Names datacentres without end.
-- must: error: dc: too many or too long
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for i = 1, 1000 do plan:hosts(dc('dc' .. i)) end end
    plan:hosts(localDc, inTurn)
  end,
}
