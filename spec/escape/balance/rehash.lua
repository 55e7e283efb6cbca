-- SPDX-License-Identifier: Apache-2.0
-- Keeps a full table that is laid out anew for each new key.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local t, n = {}, 4096
      for i = 1, n do t["k" .. i] = i end
      while true do
        n = n + 1
        t["k" .. n - 4096] = nil
        t["k" .. n] = n
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
