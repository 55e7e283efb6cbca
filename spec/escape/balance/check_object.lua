-- SPDX-License-Identifier: Apache-2.0
-- Raises an object in its check.
-- must: refused at load: the check of Escape raised a table value
return balance {
  name = "Escape",
  check = function() error({}) end,
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
