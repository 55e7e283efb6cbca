-- SPDX-License-Identifier: Apache-2.0
-- Appends to a text.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then table.insert("text", 1) end
    plan:hosts(localDc, inTurn)
  end,
}
