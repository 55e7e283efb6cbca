-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by tables.
-- must: error: 
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then
      local t = {}
      while true do t[#t + 1] = { 1, 2, 3 } end
    end
    return 1000
  end,
}
