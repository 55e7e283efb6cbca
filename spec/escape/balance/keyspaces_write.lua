-- SPDX-License-Identifier: Apache-2.0
-- Writes a keyspace's number.
-- must: refused at load: names are read-only
return balance {
  name = "Escape",
  plan = function(plan, req)
    keyspaces.ks = 5
    plan:hosts(localDc, inTurn)
  end,
}
