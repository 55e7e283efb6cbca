-- SPDX-License-Identifier: Apache-2.0
local control_lines = require "spec.hunt.control_lines"

describe("a control socket whose clients do anything", function()
  it("serves the next ones, from 40 seeds", function()
    for seed = 1, 40 do assert.is_nil(control_lines.run(seed)) end
  end)
end)
