-- SPDX-License-Identifier: Apache-2.0
-- Balance policies: which hosts, in which order. `plan(plan, req, options)` writes steps into a plan.
local balance = { entry = "plan" }

function balance.driver(chain, made)
  local below
  for i = #chain, 1, -1 do
    local options = chain[i].options
    below = { plan = chain[i].policy.plan, object = made.plan(below, options.childPolicy == false), options = options }
  end
  local plan, object, options, req = below.plan, below.object, below.options, made.req
  local function drive()
    plan(object, req, options)
    return drive
  end
  return drive
end

return balance
