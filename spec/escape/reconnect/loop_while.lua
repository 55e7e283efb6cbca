-- SPDX-License-Identifier: Apache-2.0
-- Loops with while.
-- must: error: out of fuel
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then while true do end end
    return 1000
  end,
}
