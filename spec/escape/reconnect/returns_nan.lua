-- SPDX-License-Identifier: Apache-2.0
-- Returns NaN for a delay.
-- must: error: delay must return milliseconds
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then return 0 / 0 end
    return 1000
  end,
}
