-- SPDX-License-Identifier: Apache-2.0
-- Gives fractions for limits.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:hosts(localDc, inTurn, 1.5) plan:hosts(allDcs, inTurn, 0.1) end
    plan:hosts(localDc, inTurn)
  end,
}
