-- SPDX-License-Identifier: Apache-2.0
-- Asks a child that it has not.
-- must: error: plan:child: there is no child policy
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:child(req) end
    plan:hosts(localDc, inTurn)
  end,
}
