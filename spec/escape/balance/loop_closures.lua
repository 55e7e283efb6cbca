-- SPDX-License-Identifier: Apache-2.0
-- Makes functions and calls them.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local f
      while true do f = function() return f end f() end
    end
    plan:hosts(localDc, inTurn)
  end,
}
