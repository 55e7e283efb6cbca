-- SPDX-License-Identifier: Apache-2.0
-- Gives a table for a reason.
-- must: error: decide must return a datacentre or its name
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then return home, {} end
    if home.up > 0 then return home end
    return serving
  end,
}
