-- SPDX-License-Identifier: Apache-2.0
-- Returns -1 for a delay.
-- must: error: delay must return milliseconds
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then return -1 end
    return 1000
  end,
}
