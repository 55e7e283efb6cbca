-- SPDX-License-Identifier: Apache-2.0
-- Makes comparisons that never end.
-- must: refused at load: unknown name 'setmetatable'
return balance {
  name = "Escape",
  plan = function(plan, req)
    local t = setmetatable({}, { __lt = function(a, b) return a < b end })
    local _ = t < t
    plan:hosts(localDc, inTurn)
  end,
}
