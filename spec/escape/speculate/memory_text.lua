-- SPDX-License-Identifier: Apache-2.0
-- Doubles a text without end.
-- must: error: not enough memory
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then
      local text = 'x'
      while true do text = text .. text end
    end
    if sent == 1 then return 20 end
  end,
}
