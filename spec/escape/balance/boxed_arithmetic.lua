-- SPDX-License-Identifier: Apache-2.0
-- Adds a 64-bit number to a request.
-- must: error: attempt to perform arithmetic
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then local _ = 1LL + req end
    plan:hosts(localDc, inTurn)
  end,
}
