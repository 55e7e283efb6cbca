-- SPDX-License-Identifier: Apache-2.0
-- Says nothing.
-- must: harmless
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then return end
    if home.up > 0 then return home end
    return serving
  end,
}
