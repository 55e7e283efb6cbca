-- SPDX-License-Identifier: Apache-2.0
-- Indexes the request as an array.
-- must: refused at load: a request has no field 'number'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = req[-1]
    plan:hosts(localDc, inTurn)
  end,
}
