-- SPDX-License-Identifier: Apache-2.0
-- Ends the process while it is loaded.
-- must: refused at load: unknown name 'os'
os.exit(3)
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
