-- SPDX-License-Identifier: Apache-2.0
-- Writes a file.
-- must: refused at load: unknown name 'io'
return balance {
  name = "Escape",
  plan = function(plan, req)
    io.open("moonpool-escape-canary", "w"):write("out"):close()
    plan:hosts(localDc, inTurn)
  end,
}
