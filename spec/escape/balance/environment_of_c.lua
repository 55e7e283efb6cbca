-- SPDX-License-Identifier: Apache-2.0
-- Takes the environment of the whole state.
-- must: refused at load: unknown name 'getfenv'
return balance {
  name = "Escape",
  plan = function(plan, req)
    getfenv(0).os.exit(3)
    plan:hosts(localDc, inTurn)
  end,
}
