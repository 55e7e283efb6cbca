-- SPDX-License-Identifier: Apache-2.0
-- Raises the request.
-- must: error: error with a cdata value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then error(req) end
    plan:hosts(localDc, inTurn)
  end,
}
