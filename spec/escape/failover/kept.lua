-- SPDX-License-Identifier: Apache-2.0
-- Keeps datacentres and asks them later.
-- must: harmless
local kept
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then
      kept = kept or serving
      if kept:downFor(1) > 0 and kept.name == '' then error('no name') end
    end
    if home.up > 0 then return home end
    return serving
  end,
}
