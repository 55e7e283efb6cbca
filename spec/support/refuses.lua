-- SPDX-License-Identifier: Apache-2.0
-- Options that a policy of the library refuses, a spec each: `cases` holds the options as Lua text and what is said.
local assert = require "luassert"
local policies = require "spec.support.policies"

--- `it` is busted's: support files have none. `kind` is the question, `name` the policy.
local function refuses(it, kind, name, cases)
  for options, message in pairs(cases) do
    it("refuses " .. options, function()
      local p, why = policies.try { [kind] = name, [kind .. "Options"] = options }
      assert.is_nil(p)
      assert.matches(message, (why:gsub("-nan", "nan")), 1, true)
    end)
  end
end

return refuses
