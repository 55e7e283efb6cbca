-- SPDX-License-Identifier: Apache-2.0
-- Writes a field of the request.
-- must: refused at load: constant location
return balance {
  name = "Escape",
  plan = function(plan, req)
    req.isLwt = true
    plan:hosts(localDc, inTurn)
  end,
}
