-- SPDX-License-Identifier: Apache-2.0
-- Filters by a list that holds itself.
-- must: error: listed: item 1 is no text
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local list = {}
      list[1] = list
      plan:only(listed(list))
    end
    plan:hosts(localDc, inTurn)
  end,
}
