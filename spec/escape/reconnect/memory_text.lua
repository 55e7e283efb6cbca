-- SPDX-License-Identifier: Apache-2.0
-- Doubles a text without end.
-- must: error: not enough memory
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then
      local text = 'x'
      while true do text = text .. text end
    end
    return 1000
  end,
}
