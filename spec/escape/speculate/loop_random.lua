-- SPDX-License-Identifier: Apache-2.0
-- Draws without end.
-- must: error: out of fuel
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then while true do local _ = random() end end
    if sent == 1 then return 20 end
  end,
}
