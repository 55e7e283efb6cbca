-- SPDX-License-Identifier: Apache-2.0
-- Writes into what it is given.
-- must: refused at load: constant location
return reconnect {
  name = "Escape",
  delay = function(try)
    try.isLocal = true
    return 1000
  end,
}
