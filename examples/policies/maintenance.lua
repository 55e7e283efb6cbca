-- SPDX-License-Identifier: Apache-2.0
-- A node that is tagged "maintenance" is asked only when no other is left: it may be restarted at any moment.
return balance {
  name = "Maintenance",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    plan:avoid(tagged "maintenance")
    plan:child(req)
    plan:allowAll()
    plan:hosts(localDc, inTurn)
  end,
}
