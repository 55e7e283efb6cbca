-- SPDX-License-Identifier: Apache-2.0
-- Leaves nobody in its plan.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      plan:only(tagged "nobody") plan:hosts(allDcs)
      plan:allowAll()
    end
    plan:hosts(localDc, inTurn)
  end,
}
