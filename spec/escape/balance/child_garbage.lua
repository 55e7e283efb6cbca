-- SPDX-License-Identifier: Apache-2.0
-- Gives its child something else for the request.
-- must: harmless
return balance {
  name = "Escape",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    if req.tag == tags.evil then
      plan:child("request")
      plan:child({ isLwt = 1, consistency = {}, tag = plan })
    end
    plan:child(req)
  end,
}
