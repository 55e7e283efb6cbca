-- SPDX-License-Identifier: Apache-2.0
-- Walks an endless iterator.
-- must: error: out of fuel
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then for _ in function() return 1 end do end end
    plan:hosts(localDc, inTurn)
  end,
}
