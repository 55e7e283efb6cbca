-- SPDX-License-Identifier: Apache-2.0
-- Draws with a text for a probability.
-- must: error: attempt to compare
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then chance({}) end
    plan:hosts(localDc, inTurn)
  end,
}
