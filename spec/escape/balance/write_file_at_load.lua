-- SPDX-License-Identifier: Apache-2.0
-- Writes a file while it is loaded.
-- must: refused at load: unknown name 'io'
io.open("moonpool-escape-canary", "w"):close()
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
