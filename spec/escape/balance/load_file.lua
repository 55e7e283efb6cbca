-- SPDX-License-Identifier: Apache-2.0
-- Loads another file.
-- must: refused at load: unknown name 'loadfile'
return balance {
  name = "Escape",
  plan = function(plan, req)
    loadfile("spec/escape/secret.txt")()
    plan:hosts(localDc, inTurn)
  end,
}
