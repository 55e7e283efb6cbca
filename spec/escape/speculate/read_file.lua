-- SPDX-License-Identifier: Apache-2.0
-- Reads a file.
-- must: refused at load: unknown name 'io'
return speculate {
  name = "Escape",
  after = function(req, sent)
    log(io.open("spec/escape/secret.txt"):read("*a"))
    if sent == 1 then return 20 end
  end,
}
