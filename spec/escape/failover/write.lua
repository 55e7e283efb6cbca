-- SPDX-License-Identifier: Apache-2.0
-- Writes into a datacentre.
-- must: refused at load: constant location
return failover {
  name = "Escape",
  decide = function(home, serving)
    home.up = 100
    if home.up > 0 then return home end
    return serving
  end,
}
