-- SPDX-License-Identifier: Apache-2.0
-- Runs a program.
-- must: refused at load: unknown name 'os'
return balance {
  name = "Escape",
  plan = function(plan, req)
    os.execute("touch moonpool-escape-canary")
    plan:hosts(localDc, inTurn)
  end,
}
