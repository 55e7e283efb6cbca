-- SPDX-License-Identifier: Apache-2.0
-- Adds a field to the request.
-- must: refused at load: a request is read-only
return balance {
  name = "Escape",
  plan = function(plan, req)
    req.x = 1
    plan:hosts(localDc, inTurn)
  end,
}
