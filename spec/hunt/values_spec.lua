-- SPDX-License-Identifier: Apache-2.0
local values = require "spec.hunt.values"
local it_in = require("spec.support.world").inside(it)

describe("values of any type", function()
  for seed = 1, 50 do
    it("lose nothing or are refused, seed " .. seed, function() values.run(seed) end)
  end

  it_in("lose nothing on their way to a table and back, or are refused", { nodes = 1 }, function(world)
    local pool = world:pool()
    for seed = 1, 20 do values.stored(world, pool, seed) end
  end)
end)
