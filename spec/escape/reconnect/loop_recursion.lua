-- SPDX-License-Identifier: Apache-2.0
-- Calls itself at its tail.
-- must: error: out of fuel
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then
      local function f(n) return f(n + 1) end
      f(1)
    end
    return 1000
  end,
}
