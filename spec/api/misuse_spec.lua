-- SPDX-License-Identifier: Apache-2.0
-- Mistakes with the C API (docs/faults.md, X4), made by a C program under the sanitizers.
local sim_process = require "spec.support.sim_process"

describe("X4 the C API called wrongly", function()
  it("gives a code and a sentence for every mistake, and goes on", function()
    local cluster = sim_process.start(1)
    finally(function() cluster:stop() end)
    local said, status = cluster:run "misuse"
    assert.equal(0, status, said)
    assert.matches("%d%d%d checks, 0 failures\n", said)
    -- Each kind of mistake is told once, with what was called.
    local told = {}
    for line in said:gmatch "moonpool error: (.-) %(a mistake of this program, which is told once%)" do
      local sentence = line:match "^moonpool_[%w_]+: (.+)$"
      assert.is_truthy(sentence, line)
      assert.is_nil(told[sentence], line)
      told[sentence] = true
    end
    for _, sentence in ipairs { "the session is NULL", "the callback is NULL", "there is no such column" } do
      assert.is_true(told[sentence], said)
    end
  end)

  it("is tried with every function of the headers", function()
    local function read(path)
      local file = assert(io.open(MOONPOOL_ROOT .. "/" .. path))
      local text = file:read "*a"
      file:close()
      return text
    end
    local tried = read "spec/api/misuse.h"
    for _, part in ipairs { "", "_batch", "_cancel", "_parts", "_session", "_values" } do
      tried = tried .. read("spec/api/misuse" .. part .. ".c")
    end
    local missing = {}
    for _, header in ipairs { "moonpool.h", "moonpool_session.h" } do
      for declaration in read("runtime/" .. header):gmatch "MOONPOOL_API%s([^;]-)%(" do
        local name = declaration:match "moonpool_[%w_]+$"
        if name and not tried:find(name .. "(", 1, true) then missing[#missing + 1] = name end
      end
    end
    -- They take nothing that could be wrong.
    assert.same({ "moonpool_version", "moonpool_allocations" }, missing)
  end)

  it("is each thread's own business", function()
    local cluster = sim_process.start(1)
    finally(function() cluster:stop() end)
    local said, status = cluster:run "threads"
    assert.equal(0, status, said)
    assert.matches("640 rows, 32 mistakes\n", said, 1, true)
    assert.not_matches("FAILED", said)
  end)
end)
