-- SPDX-License-Identifier: Apache-2.0
-- Selects arguments that are not there.
-- must: error: bad argument
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then local _ = select(-2 ^ 31, 1, 2) end
    plan:hosts(localDc, inTurn)
  end,
}
