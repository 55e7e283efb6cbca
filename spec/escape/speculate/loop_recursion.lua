-- SPDX-License-Identifier: Apache-2.0
-- Calls itself at its tail.
-- must: error: out of fuel
return speculate {
  name = "Escape",
  after = function(req, sent)
    if req.tag == tags.evil then
      local function f(n) return f(n + 1) end
      f(1)
    end
    if sent == 1 then return 20 end
  end,
}
