-- SPDX-License-Identifier: Apache-2.0
-- Looks behind a datacentre.
-- must: refused at load: a datacentre has no field
return failover {
  name = "Escape",
  decide = function(home, serving)
    local _ = home[1]
    if home.up > 0 then return home end
    return serving
  end,
}
