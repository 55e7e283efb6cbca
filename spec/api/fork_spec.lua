-- SPDX-License-Identifier: Apache-2.0
-- A C program that connects and then starts workers by fork() (docs/faults.md, X5): whoever's the uv loop is, and
-- whether the workers go on with it or not.
local sim_process = require "spec.support.sim_process"

describe("X5 fork in C", function()
  local cluster
  setup(function()
    cluster = sim_process.start(2)
    cluster:fill()
  end)
  teardown(function() cluster:stop() end)

  for whose, what in pairs { own = "moonpool's own loop", theirs = "a loop of the program's",
    turned = "a loop of the program's that the workers go on with" } do
    it("gives four workers and the parent 0 wrong rows, with " .. what, function()
      local said, status = cluster:run("fork", whose)
      assert.equal(0, status, said)
      for text, count in pairs { ["copy right 0 wrong 0 errors 0 forked 300\n"] = 4,
        ["own right 300 wrong 0 errors 0 forked 0\n"] = 4, ["parent right 300 wrong 0 errors 0 forked 0\n"] = 7,
        ["children that failed: 0, errors of connections: 0\n"] = 1 } do
        assert.equal(count, select(2, said:gsub(text, "")), said)
      end
    end)
  end

  it("lets a child return from the callback that it was made in", function()
    local said, status = cluster:run("fork", "inside")
    assert.equal(0, status, said)
    assert.matches("the child inside ended with 0\n", said, 1, true)
  end)
end)
