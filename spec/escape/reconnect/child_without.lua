-- SPDX-License-Identifier: Apache-2.0
-- Asks a child that it has not.
-- must: error: attempt to call
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then
      local child = nil
      return child(try)
    end
    return 1000
  end,
}
