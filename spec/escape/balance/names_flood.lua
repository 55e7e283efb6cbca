-- SPDX-License-Identifier: Apache-2.0
-- Asks for ten thousand tags and keyspaces.
-- must: harmless
local n = 0
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      for _ = 1, 20 do
        n = n + 1
        local _ = tags["t" .. n] == keyspaces["k" .. n]
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
