-- SPDX-License-Identifier: Apache-2.0
-- Returns a table that looks like a policy.
-- must: refused at load: the file must return balance { ... }
return { name = "Escape", plan = function(plan) plan:hosts(localDc) end }
