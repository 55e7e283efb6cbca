-- SPDX-License-Identifier: Apache-2.0
-- Makes a policy that holds itself.
-- must: refused at load: a balance policy has no 'self'
local policy = { name = "Escape", plan = function(plan) plan:hosts(localDc) end }
policy.self = policy
return balance(policy)
