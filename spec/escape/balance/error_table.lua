-- SPDX-License-Identifier: Apache-2.0
-- Raises a table.
-- must: error: error with a table value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error({ 1 }) end
    plan:hosts(localDc, inTurn)
  end,
}
