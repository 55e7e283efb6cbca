-- SPDX-License-Identifier: Apache-2.0
-- Asks for the length of the request.
-- must: refused at load: attempt to get length
return balance {
  name = "Escape",
  plan = function(plan, req)
    local _ = #req
    plan:hosts(localDc, inTurn)
  end,
}
