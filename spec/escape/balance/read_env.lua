-- SPDX-License-Identifier: Apache-2.0
-- Reads the environment.
-- must: refused at load: unknown name 'os'
return balance {
  name = "Escape",
  plan = function(plan, req)
    log(os.getenv("MOONPOOL_ESCAPE_SECRET"))
    plan:hosts(localDc, inTurn)
  end,
}
