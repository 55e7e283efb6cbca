-- SPDX-License-Identifier: Apache-2.0
-- Makes a text of the request.
-- must: refused at load: attempt to concatenate
return balance {
  name = "Escape",
  plan = function(plan, req)
    log('' .. req)
    plan:hosts(localDc, inTurn)
  end,
}
