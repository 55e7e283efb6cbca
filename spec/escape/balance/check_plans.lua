-- SPDX-License-Identifier: Apache-2.0
-- Plans in its check, before there is a request.
-- must: harmless
local kept
return balance {
  name = "Escape",
  check = function()
    if kept then kept:hosts(localDc) end
  end,
  plan = function(plan, req)
    kept = plan
    plan:hosts(localDc, inTurn)
  end,
}
