-- SPDX-License-Identifier: Apache-2.0
-- Indexes the request far away, with a 64-bit number.
-- must: refused at load: a request has no field
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = req[0x7fffffffLL]
    plan:hosts(localDc, inTurn)
  end,
}
