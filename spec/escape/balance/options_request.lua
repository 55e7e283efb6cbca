-- SPDX-License-Identifier: Apache-2.0
-- Has an object of the sandbox for an option.
-- must: refused at load: a default is a number, a text, a boolean or a table
return balance { name = "Escape", options = { r = 1LL }, plan = function(plan) plan:hosts(localDc) end }
