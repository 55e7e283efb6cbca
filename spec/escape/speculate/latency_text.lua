-- SPDX-License-Identifier: Apache-2.0
-- Asks for the latency of 'p99'.
-- must: error: latency: 
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then return latency('p99') end
    if sent == 1 then return 20 end
  end,
}
