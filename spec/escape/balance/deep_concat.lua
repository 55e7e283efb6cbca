-- SPDX-License-Identifier: Apache-2.0
-- Recurses while a text is put together.
-- must: error
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f(n) return "a" .. n .. "b" .. n .. "c" .. f(n) .. "d" .. n end
      f(1)
    end
    plan:hosts(localDc, inTurn)
  end,
}
