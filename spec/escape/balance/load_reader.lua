-- SPDX-License-Identifier: Apache-2.0
-- Compiles what a function gives.
-- must: refused at load: unknown name 'load'
return balance {
  name = "Escape",
  plan = function(plan, req)
    load(function() return 'os.exit(3)' end)()
    plan:hosts(localDc, inTurn)
  end,
}
