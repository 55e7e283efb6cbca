-- SPDX-License-Identifier: Apache-2.0
-- Returns seven thousand values.
-- must: harmless
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then
      local t = { home, "because" }
      for i = 3, 7000 do t[i] = i end
      return unpack(t)
    end
    if home.up > 0 then return home end
    return serving
  end,
}
