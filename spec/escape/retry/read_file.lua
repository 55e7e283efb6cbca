-- SPDX-License-Identifier: Apache-2.0
-- Reads a file.
-- must: refused at load: unknown name 'io'
return retry {
  name = "Escape",
  decide = function(err, req)
    log(io.open("spec/escape/secret.txt"):read("*a"))
    return err.attempt < 3 and nextHost or giveUp
  end,
}
