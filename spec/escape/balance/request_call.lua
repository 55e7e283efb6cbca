-- SPDX-License-Identifier: Apache-2.0
-- Calls the request.
-- must: refused at load: is not callable
return balance {
  name = "Escape",
  plan = function(plan, req)
    req()
    plan:hosts(localDc, inTurn)
  end,
}
