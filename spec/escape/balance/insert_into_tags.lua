-- SPDX-License-Identifier: Apache-2.0
-- Appends to the names of tags.
-- must: error: names are read-only
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then table.insert(tags, 1) end
    plan:hosts(localDc, inTurn)
  end,
}
