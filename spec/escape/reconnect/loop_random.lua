-- SPDX-License-Identifier: Apache-2.0
-- Draws without end.
-- must: error: out of fuel
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then while true do local _ = random() end end
    return 1000
  end,
}
