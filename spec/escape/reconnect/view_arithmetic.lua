-- SPDX-License-Identifier: Apache-2.0
-- Moves along what it is given.
-- must: refused at load: attempt to perform arithmetic
return reconnect {
  name = "Escape",
  delay = function(try)
    local _ = try + 1
    return 1000
  end,
}
