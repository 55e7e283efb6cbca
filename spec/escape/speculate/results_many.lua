-- SPDX-License-Identifier: Apache-2.0
-- Returns seven thousand values.
-- must: harmless
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then
      local t = { 5 }
      for i = 2, 7000 do t[i] = i end
      return unpack(t)
    end
    if sent == 1 then return 20 end
  end,
}
