-- SPDX-License-Identifier: Apache-2.0
-- Stands a label between a declaration and a comment that looks like one.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local s = "::again::" --[[ ::again:: ]] --[==[ ::again:: ]==]
      ::again:: -- ::again::
      s = [[::again::]] goto again
    end
    plan:hosts(localDc, inTurn)
  end,
}
