-- SPDX-License-Identifier: Apache-2.0
-- Walks the request.
-- must: refused at load: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    for k, v in pairs(req) do log(k .. v) end
    plan:hosts(localDc, inTurn)
  end,
}
