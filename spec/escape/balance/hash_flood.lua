-- SPDX-License-Identifier: Apache-2.0
-- Makes texts that meet in one place of every table.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local a, b, t = "x", "y", {}
      for _ = 1, 7 do a, b = a .. a, b .. b end
      while true do
        for i = 1, 64 do
          for j = 1, 64 do t[a .. b:sub(1, i) .. a .. b:sub(1, j) .. a] = true end
        end
        t = {}
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
