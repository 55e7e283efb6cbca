-- SPDX-License-Identifier: Apache-2.0
-- Raises a table.
-- must: error: error with a table value
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then error({}) end
    return 1000
  end,
}
