-- SPDX-License-Identifier: Apache-2.0
-- Asks a child that it has not.
-- must: error: attempt to call
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then
      local child = nil
      return child(req)
    end
    if sent == 1 then return 20 end
  end,
}
