-- SPDX-License-Identifier: Apache-2.0
-- Loops while it is loaded.
-- must: refused at load: out of fuel
while true do end
return failover {
  name = "Escape",
  decide = function(home, serving)

    if home.up > 0 then return home end
    return serving
  end,
}
