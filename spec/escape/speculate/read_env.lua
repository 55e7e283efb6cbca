-- SPDX-License-Identifier: Apache-2.0
-- Reads the environment.
-- must: refused at load: unknown name 'os'
return speculate {
  name = "Escape",
  after = function(req, sent)
    log(os.getenv("MOONPOOL_ESCAPE_SECRET"))
    if sent == 1 then return 20 end
  end,
}
