-- SPDX-License-Identifier: Apache-2.0
-- Loops while it is loaded.
-- must: refused at load: out of fuel
while true do end
return reconnect {
  name = "Escape",
  delay = function(try)

    return 1000
  end,
}
