-- SPDX-License-Identifier: Apache-2.0
-- Gives a table for a limit.
-- must: error: the limit must be a number of hosts
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:hosts(localDc, inTurn, {}) end
    plan:hosts(localDc, inTurn)
  end,
}
