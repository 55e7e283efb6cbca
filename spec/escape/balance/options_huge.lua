-- SPDX-License-Identifier: Apache-2.0
-- Has a hundred thousand options.
-- must: refused at load: not enough memory
local options = {}
for i = 1, 100000 do options["option" .. i] = i end
return balance { name = "Escape", options = options, plan = function(plan) plan:hosts(localDc) end }
