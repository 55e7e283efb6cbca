-- SPDX-License-Identifier: Apache-2.0
-- Loops with while.
-- must: error: out of fuel
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then while true do end end
    if sent == 1 then return 20 end
  end,
}
