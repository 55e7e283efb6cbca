-- SPDX-License-Identifier: Apache-2.0
-- Has options that hold themselves.
-- must: harmless
local options = { depth = 1, list = {} }
options.list.options = options
options.list.list = options.list
return balance {
  name = "Escape",
  options = options,
  plan = function(plan, _, given)
    if given.list.options.list ~= given.list then error "other options" end
    plan:hosts(localDc, inTurn)
  end,
}
