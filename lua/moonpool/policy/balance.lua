-- SPDX-License-Identifier: Apache-2.0
-- Balance policies: which hosts, in which order. `plan(plan, req, options)` writes steps into a plan.
local objects = require "moonpool.policy.objects"

local balance = { entry = "plan" }

local DRIVE = [[
local plan, object, req, options = ...
local function drive()
  plan(object, req, options)
  return drive
end
return drive]]

function balance.driver(chain, made)
  local below
  for i = #chain, 1, -1 do
    local options = chain[i].options
    below = { plan = chain[i].policy.plan, object = made.plan(below, options.childPolicy == false), options = options }
  end
  return objects.fresh(DRIVE, below.plan, below.object, made.req, below.options)
end

return balance
