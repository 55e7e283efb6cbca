-- SPDX-License-Identifier: Apache-2.0
-- Returns seven thousand values.
-- must: harmless
return reconnect {
  name = "Escape",
  delay = function(try)
    if try.attempt == 77 then
      local t = { 5 }
      for i = 2, 7000 do t[i] = i end
      return unpack(t)
    end
    return 1000
  end,
}
