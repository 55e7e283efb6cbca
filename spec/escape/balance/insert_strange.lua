-- SPDX-License-Identifier: Apache-2.0
-- Appends to what is no list.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local list = {}
      table.insert(list, nil)
      for i = 1, 100 do table.insert(list, i) end
      list[2 ^ 53] = 1
      list[0.5] = 2
      table.remove(list)
      table.remove({})
    end
    plan:hosts(localDc, inTurn)
  end,
}
