-- SPDX-License-Identifier: Apache-2.0
-- Indexes what it is given as an array.
-- must: refused at load: has no field 'number'
return reconnect {
  name = "Escape",
  delay = function(try)
    local _ = try[1]
    return 1000
  end,
}
