-- SPDX-License-Identifier: Apache-2.0
-- Moves along what it is given.
-- must: refused at load: attempt to perform arithmetic
return speculate {
  name = "Escape",
  after = function(req, sent)
    local _ = req + 1
    if sent == 1 then return 20 end
  end,
}
