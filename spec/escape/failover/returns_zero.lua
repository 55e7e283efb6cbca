-- SPDX-License-Identifier: Apache-2.0
-- Names a datacentre by a text with a zero in it.
-- must: error: there is no datacentre
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then return home.name .. "\0" end
    if home.up > 0 then return home end
    return serving
  end,
}
