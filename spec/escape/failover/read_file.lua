-- SPDX-License-Identifier: Apache-2.0
-- Reads a file.
-- must: refused at load: unknown name 'io'
return failover {
  name = "Escape",
  decide = function(home, serving)
    log(io.open("spec/escape/secret.txt"):read("*a"))
    if home.up > 0 then return home end
    return serving
  end,
}
