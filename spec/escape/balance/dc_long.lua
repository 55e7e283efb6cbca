-- SPDX-License-Identifier: Apache-2.0
-- Names a datacentre by a very long text.
-- must: error: dc: too many or too long
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local name = "x"
      for _ = 1, 16 do name = name .. name end
      plan:hosts(dc(name))
    end
    plan:hosts(localDc, inTurn)
  end,
}
