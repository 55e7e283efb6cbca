-- SPDX-License-Identifier: Apache-2.0
-- Makes a global of a name that is nearly a word.
-- must: refused at load: 'localDC' is not declared
return balance {
  name = "Escape",
  plan = function(plan, req)
    localDC = 1
    plan:hosts(localDc, inTurn)
  end,
}
