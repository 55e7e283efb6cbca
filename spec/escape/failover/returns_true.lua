-- SPDX-License-Identifier: Apache-2.0
-- Returns true for a datacentre.
-- must: error: decide must return a datacentre or its name
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then return true end
    if home.up > 0 then return home end
    return serving
  end,
}
