-- SPDX-License-Identifier: Apache-2.0
-- Asks for names that are none.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local long = "x"
      for _ = 1, 15 do long = long .. long end
      local _ = tags[long], tags["a\0b"], tags[""], tags[1], tags[req], keyspaces[{}], keyspaces[long]
    end
    plan:hosts(localDc, inTurn)
  end,
}
