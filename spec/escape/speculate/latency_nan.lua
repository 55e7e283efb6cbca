-- SPDX-License-Identifier: Apache-2.0
-- Asks for the latency of 0 / 0.
-- must: error: latency: 
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then return latency(0 / 0) end
    if sent == 1 then return 20 end
  end,
}
