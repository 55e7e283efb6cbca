-- SPDX-License-Identifier: Apache-2.0
-- Has a name of sixty thousand letters.
-- must: refused at load: name must be a text
local name = "x"
for _ = 1, 16 do name = name .. name end
return balance { name = name, plan = function(plan) plan:hosts(localDc) end }
