-- SPDX-License-Identifier: Apache-2.0
-- Reads the values of the request.
-- must: refused at load: a request has no field 'values'
return balance {
  name = "Escape",
  plan = function(plan, req)
    log(req.values)
    plan:hosts(localDc, inTurn)
  end,
}
