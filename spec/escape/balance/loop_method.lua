-- SPDX-License-Identifier: Apache-2.0
-- Loops in a method.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local o = {}
      function o:f() while self do end end
      o:f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
