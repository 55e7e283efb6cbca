-- SPDX-License-Identifier: Apache-2.0
-- Moves along the datacentres.
-- must: refused at load: attempt to perform arithmetic
return failover {
  name = "Escape",
  decide = function(home, serving)
    local _ = home + 100000
    if home.up > 0 then return home end
    return serving
  end,
}
