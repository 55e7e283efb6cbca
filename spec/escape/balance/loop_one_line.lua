-- SPDX-License-Identifier: Apache-2.0
-- Loops in one line, between comments and long texts.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      while true do--[[ ]] local _ = [[ do ]] end -- do
    end
    plan:hosts(localDc, inTurn)
  end,
}
