-- SPDX-License-Identifier: Apache-2.0
-- Adds a field to a datacentre.
-- must: refused at load: a datacentre is read-only
return failover {
  name = "Escape",
  decide = function(home, serving)
    home.x = 1
    if home.up > 0 then return home end
    return serving
  end,
}
