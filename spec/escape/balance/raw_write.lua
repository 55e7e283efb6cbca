-- SPDX-License-Identifier: Apache-2.0
-- Writes around a metatable.
-- must: refused at load: unknown name 'rawset'
return balance {
  name = "Escape",
  plan = function(plan, req)
    rawset(tags, 'evil', 1)
    plan:hosts(localDc, inTurn)
  end,
}
