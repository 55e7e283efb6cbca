-- SPDX-License-Identifier: Apache-2.0
-- Asks for the next field of the request.
-- must: refused at load: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    next(req)
    plan:hosts(localDc, inTurn)
  end,
}
