-- SPDX-License-Identifier: Apache-2.0
-- Raises an error that looks like a format.
-- must: error: %s%n%s
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error("%s%n%s%99999d", 0) end
    plan:hosts(localDc, inTurn)
  end,
}
