-- SPDX-License-Identifier: Apache-2.0
-- Swallows errors.
-- must: refused at load: unknown name 'pcall'
return speculate {
  name = "Escape",
  after = function(req, sent)
    pcall(error)
    if sent == 1 then return 20 end
  end,
}
