-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by tables.
-- must: error: 
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then
      local t = {}
      while true do t[#t + 1] = { 1, 2, 3 } end
    end
    if sent == 1 then return 20 end
  end,
}
