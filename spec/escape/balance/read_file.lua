-- SPDX-License-Identifier: Apache-2.0
-- Reads a file and tells it to the log.
-- must: refused at load: unknown name 'io'
return balance {
  name = "Escape",
  plan = function(plan, req)
    log(io.open("spec/escape/secret.txt"):read("*a"))
    plan:hosts(localDc, inTurn)
  end,
}
