-- SPDX-License-Identifier: Apache-2.0
-- Writes to the program's output.
-- must: refused at load: unknown name 'print'
return balance {
  name = "Escape",
  plan = function(plan, req)
    print("out")
    plan:hosts(localDc, inTurn)
  end,
}
