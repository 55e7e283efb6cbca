-- SPDX-License-Identifier: Apache-2.0
-- Reads the environment.
-- must: refused at load: unknown name 'os'
return reconnect {
  name = "Escape",
  delay = function(try)
    log(os.getenv("MOONPOOL_ESCAPE_SECRET"))
    return 1000
  end,
}
