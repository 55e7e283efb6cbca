-- SPDX-License-Identifier: Apache-2.0
-- Unpacks around zero.
-- must: refused at load: too many results to unpack
return balance {
  name = "Escape",
  plan = function(plan, req)
    unpack({}, -250000, 250000)
    plan:hosts(localDc, inTurn)
  end,
}
