-- SPDX-License-Identifier: Apache-2.0
-- Asks a made-up datacentre, far outside.
-- must: error: upFor: 
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then home.upFor({ index = 2 ^ 40 }, 1) end
    if home.up > 0 then return home end
    return serving
  end,
}
