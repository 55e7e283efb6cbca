-- SPDX-License-Identifier: Apache-2.0
-- Returns garbage from its plan.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then return nil, {}, 0 / 0, 1.5, -1, 2 ^ 53, 'x', req, function() end end
    plan:hosts(localDc, inTurn)
  end,
}
