-- SPDX-License-Identifier: Apache-2.0
-- Reads the registry.
-- must: refused at load: unknown name 'debug'
return balance {
  name = "Escape",
  plan = function(plan, req)
    debug.getregistry()[1] = nil
    plan:hosts(localDc, inTurn)
  end,
}
