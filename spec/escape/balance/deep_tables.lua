-- SPDX-License-Identifier: Apache-2.0
-- Recurses inside of table constructors.
-- must: error
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f() return { { { f(), f() }, 1 }, 2 } end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
