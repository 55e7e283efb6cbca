-- SPDX-License-Identifier: Apache-2.0
-- Writes into what it is given.
-- must: refused at load: constant location
return speculate {
  name = "Escape",
  after = function(req, sent)
    req.isRead = true
    if sent == 1 then return 20 end
  end,
}
