-- SPDX-License-Identifier: Apache-2.0
-- Has options without names.
-- must: refused at load: options.1: 
return balance { name = "Escape", options = { 1, 2 }, plan = function(plan) plan:hosts(localDc) end }
