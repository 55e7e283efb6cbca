-- SPDX-License-Identifier: Apache-2.0
-- Walks the datacentres without end.
-- must: error: out of fuel
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then while true do for _, dc in dcs() do local _ = dc.up end end end
    if home.up > 0 then return home end
    return serving
  end,
}
