-- SPDX-License-Identifier: Apache-2.0
-- Replaces functions of its libraries, for its own file.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      math.floor, string.sub, table.insert, bit.band = nil, nil, nil, nil
      if ("text"):sub(1, 1) ~= "t" then error "methods of texts are shared" end
    end
    plan:hosts(localDc, inTurn)
  end,
}
