-- SPDX-License-Identifier: Apache-2.0
-- Names a file of the system for its child.
-- must: refused at load: /etc/passwd:1: 
return balance {
  name = "Escape",
  options = { childPolicy = "/etc/passwd" },
  plan = function(plan, req)
    plan:child(req)
  end,
}
