-- SPDX-License-Identifier: Apache-2.0
-- Has functions for options.
-- must: refused at load: a default is a number, a text, a boolean or a table
return balance { name = "Escape", options = { f = function() end }, plan = function(plan) plan:hosts(localDc) end }
