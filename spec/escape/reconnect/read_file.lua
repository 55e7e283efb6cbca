-- SPDX-License-Identifier: Apache-2.0
-- Reads a file.
-- must: refused at load: unknown name 'io'
return reconnect {
  name = "Escape",
  delay = function(try)
    log(io.open("spec/escape/secret.txt"):read("*a"))
    return 1000
  end,
}
