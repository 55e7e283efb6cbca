-- SPDX-License-Identifier: Apache-2.0
-- Raises an error with control characters.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error("a\nb\0c\27[2J", 0) end
    plan:hosts(localDc, inTurn)
  end,
}
