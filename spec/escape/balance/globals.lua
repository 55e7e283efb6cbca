-- SPDX-License-Identifier: Apache-2.0
-- Reads the globals.
-- must: refused at load: unknown name '_G'
return balance {
  name = "Escape",
  plan = function(plan, req)
    _G.os.exit(3)
    plan:hosts(localDc, inTurn)
  end,
}
