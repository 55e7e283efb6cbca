-- SPDX-License-Identifier: Apache-2.0
-- Indexes what it is given as an array.
-- must: refused at load: has no field 'number'
return speculate {
  name = "Escape",
  after = function(req, sent)
    local _ = req[1]
    if sent == 1 then return 20 end
  end,
}
