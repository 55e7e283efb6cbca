-- SPDX-License-Identifier: Apache-2.0
-- Asks for an address through a message.
-- must: refused at load: got table
return balance {
  name = "Escape",
  plan = function(plan, req)
    plan:hosts({})
    plan:hosts(localDc, inTurn)
  end,
}
