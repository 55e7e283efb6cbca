-- SPDX-License-Identifier: Apache-2.0
-- Raises a table.
-- must: error: error with a table value
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then error({}) end
    if home.up > 0 then return home end
    return serving
  end,
}
