-- SPDX-License-Identifier: Apache-2.0
-- Returns NaN for the time of a copy.
-- must: error: after must return milliseconds
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then return 0 / 0 end
    if sent == 1 then return 20 end
  end,
}
