-- SPDX-License-Identifier: Apache-2.0
-- Raises in its check.
-- must: refused at load: not with me
return balance {
  name = "Escape",
  check = function() error "not with me" end,
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
