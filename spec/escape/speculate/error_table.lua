-- SPDX-License-Identifier: Apache-2.0
-- Raises a table.
-- must: error: error with a table value
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then error({}) end
    if sent == 1 then return 20 end
  end,
}
