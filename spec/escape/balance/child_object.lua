-- SPDX-License-Identifier: Apache-2.0
-- Names an object for its child.
-- must: refused at load: options.childPolicy: 
return balance {
  name = "Escape",
  options = { childPolicy = function() end },
  plan = function(plan, req)
    plan:child(req)
  end,
}
