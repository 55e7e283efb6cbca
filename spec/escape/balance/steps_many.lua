-- SPDX-License-Identifier: Apache-2.0
-- Plans ten thousand steps.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ = 1, 10000 do plan:hosts(localDc, inTurn) end end
    plan:hosts(localDc, inTurn)
  end,
}
