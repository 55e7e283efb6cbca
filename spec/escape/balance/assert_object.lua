-- SPDX-License-Identifier: Apache-2.0
-- Asserts with an object for a message.
-- must: error: error with a table value
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then assert(false, {}) end
    plan:hosts(localDc, inTurn)
  end,
}
