-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by tables.
-- must: error: 
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then
      local t = {}
      while true do t[#t + 1] = { 1, 2, 3 } end
    end
    if home.up > 0 then return home end
    return serving
  end,
}
