-- SPDX-License-Identifier: Apache-2.0
-- Names itself for its child.
-- must: refused at load: childPolicy: more than 4 policies
return balance {
  name = "ChildOfItself",
  options = { childPolicy = "ChildOfItself" },
  plan = function(plan, req)
    plan:child(req)
  end,
}
