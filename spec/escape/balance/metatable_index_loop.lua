-- SPDX-License-Identifier: Apache-2.0
-- Makes an __index that never ends.
-- must: refused at load: unknown name 'setmetatable'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local t = setmetatable({}, { __index = function(t, k) return t[k] end })
    local _ = t.x
    plan:hosts(localDc, inTurn)
  end,
}
