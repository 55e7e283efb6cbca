-- SPDX-License-Identifier: Apache-2.0
-- Runs another file.
-- must: refused at load: unknown name 'dofile'
return balance {
  name = "Escape",
  plan = function(plan, req)
    dofile("spec/escape/secret.txt")
    plan:hosts(localDc, inTurn)
  end,
}
