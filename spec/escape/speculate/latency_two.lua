-- SPDX-License-Identifier: Apache-2.0
-- Asks for the latency of 2.
-- must: error: latency: 
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then return latency(2) end
    if sent == 1 then return 20 end
  end,
}
