-- SPDX-License-Identifier: Apache-2.0
-- Gives a function another environment.
-- must: refused at load: unknown name 'setfenv'
return balance {
  name = "Escape",
  plan = function(plan, req)
    setfenv(1, {})
    plan:hosts(localDc, inTurn)
  end,
}
