-- SPDX-License-Identifier: Apache-2.0
-- Raises nothing.
-- must: error: error with a nil value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error() end
    plan:hosts(localDc, inTurn)
  end,
}
