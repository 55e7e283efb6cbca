-- SPDX-License-Identifier: Apache-2.0
-- Loops with while.
-- must: error: out of fuel
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then while true do end end
    if home.up > 0 then return home end
    return serving
  end,
}
