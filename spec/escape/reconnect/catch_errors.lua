-- SPDX-License-Identifier: Apache-2.0
-- Swallows errors.
-- must: refused at load: unknown name 'pcall'
return reconnect {
  name = "Escape",
  delay = function(try)
    pcall(error)
    return 1000
  end,
}
