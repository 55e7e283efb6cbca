-- SPDX-License-Identifier: Apache-2.0
-- Asks since when 2^53 hosts are up.
-- must: error: upFor: takes a number of hosts
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then home:upFor(2 ^ 53) end
    if home.up > 0 then return home end
    return serving
  end,
}
