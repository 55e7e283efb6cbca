-- SPDX-License-Identifier: Apache-2.0
-- Gives a policy an object for a key.
-- must: refused at load: a balance policy has no 'table
return balance { name = "Escape", plan = function(plan) plan:hosts(localDc) end, [{}] = 1 }
