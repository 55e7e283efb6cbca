-- SPDX-License-Identifier: Apache-2.0
-- Makes a module of itself.
-- must: refused at load: unknown name 'module'
return balance {
  name = "Escape",
  plan = function(plan, req)
    module("os")
    plan:hosts(localDc, inTurn)
  end,
}
