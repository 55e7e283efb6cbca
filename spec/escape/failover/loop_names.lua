-- SPDX-License-Identifier: Apache-2.0
-- Reads names without end.
-- must: error: out of fuel
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then while true do local _ = home.name end end
    if home.up > 0 then return home end
    return serving
  end,
}
