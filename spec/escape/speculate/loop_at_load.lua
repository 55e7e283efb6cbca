-- SPDX-License-Identifier: Apache-2.0
-- Loops while it is loaded.
-- must: refused at load: out of fuel
while true do end
return speculate {
  name = "Escape",
  after = function(req, sent)

    if sent == 1 then return 20 end
  end,
}
