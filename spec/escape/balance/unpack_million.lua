-- SPDX-License-Identifier: Apache-2.0
-- Unpacks a million values.
-- must: refused at load: too many results to unpack
return balance {
  name = "Escape",
  plan = function(plan, req)
    unpack({}, 1, 1e6)
    plan:hosts(localDc, inTurn)
  end,
}
