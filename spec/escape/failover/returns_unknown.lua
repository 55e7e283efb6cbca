-- SPDX-License-Identifier: Apache-2.0
-- Names a datacentre that does not exist.
-- must: error: there is no datacentre 'nowhere'
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then return "nowhere" end
    if home.up > 0 then return home end
    return serving
  end,
}
