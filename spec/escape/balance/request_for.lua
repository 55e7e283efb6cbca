-- SPDX-License-Identifier: Apache-2.0
-- Counts from the request on.
-- must: refused at load: 'for' initial value must be a number
return balance {
  name = "Escape",
  plan = function(plan, req)
    for _ = req, 1 do break end
    plan:hosts(localDc, inTurn)
  end,
}
