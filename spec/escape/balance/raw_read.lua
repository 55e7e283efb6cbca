-- SPDX-License-Identifier: Apache-2.0
-- Reads around a metatable.
-- must: refused at load: unknown name 'rawget'
return balance {
  name = "Escape",
  plan = function(plan, req)
    rawget(tags, 1)
    plan:hosts(localDc, inTurn)
  end,
}
