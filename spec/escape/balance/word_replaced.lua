-- SPDX-License-Identifier: Apache-2.0
-- Gives a word of the sandbox another meaning, for its own file.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local allDcs = localDc
      plan:hosts(allDcs, inTurn)
    end
    plan:hosts(localDc, inTurn)
  end,
}
