-- SPDX-License-Identifier: Apache-2.0
-- Calls the iterator of datacentres with numbers of its own.
-- must: harmless
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then
      local step = dcs()
      for _, position in next, { -1, 1e9, 2 ^ 31, -2 ^ 31, 2 ^ 53, 0 / 0, 1 / 0, -1 / 0, 0.5 } do
        local _, found = step(nil, position)
        if found and found.total > 1e6 then error('far outside') end
      end
    end
    if home.up > 0 then return home end
    return serving
  end,
}
