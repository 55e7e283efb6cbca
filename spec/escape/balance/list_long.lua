-- SPDX-License-Identifier: Apache-2.0
-- Filters by a list of ten thousand hosts.
-- must: error: listed: 10000 items
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local list = {}
      for i = 1, 10000 do list[i] = "10.0.0.1" end
      plan:only(listed(list))
    end
    plan:hosts(localDc, inTurn)
  end,
}
