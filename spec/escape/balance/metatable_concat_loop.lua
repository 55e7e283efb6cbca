-- SPDX-License-Identifier: Apache-2.0
-- Makes a concatenation that never ends.
-- must: refused at load: unknown name 'setmetatable'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local t = setmetatable({}, { __concat = function(a, b) return a .. b end })
    local _ = t .. t
    plan:hosts(localDc, inTurn)
  end,
}
