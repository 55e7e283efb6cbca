-- SPDX-License-Identifier: Apache-2.0
local statements = require "spec.hunt.statements"

describe("statements of the whole grammar", function()
  for seed = 1, 20 do
    it("are read for what they are, seed " .. seed, function() statements.run(seed) end)
  end
end)
