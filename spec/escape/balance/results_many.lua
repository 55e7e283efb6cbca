-- SPDX-License-Identifier: Apache-2.0
-- Returns seven thousand values from its plan.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t = {}
      for i = 1, 7000 do t[i] = i end
      return unpack(t)
    end
    plan:hosts(localDc, inTurn)
  end,
}
