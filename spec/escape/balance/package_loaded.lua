-- SPDX-License-Identifier: Apache-2.0
-- Reaches the libraries through package.loaded.
-- must: refused at load: unknown name 'package'
return balance {
  name = "Escape",
  plan = function(plan, req)
    package.loaded.os.exit(3)
    plan:hosts(localDc, inTurn)
  end,
}
