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

  -- Functions of the headers that none of these programs calls.
  local function untried(files)
    local function read(path)
      local file = assert(io.open(MOONPOOL_ROOT .. "/" .. path))
      local text = file:read "*a"
      file:close()
      return text
    end
    local tried, missing = "", {}
    for _, name in ipairs(files) do tried = tried .. read("spec/api/" .. name) end
    for _, header in ipairs { "moonpool.h", "moonpool_session.h" } do
      for declaration in read("runtime/" .. header):gmatch "MOONPOOL_API%s([^;]-)%(" do
        local name = declaration:match "moonpool_[%w_]+$"
        if name and not tried:find(name .. "(", 1, true) then missing[#missing + 1] = name end
      end
    end
    return missing
  end
  local takes_nothing = { "moonpool_version", "moonpool_allocations" }

  it("is tried with every function of the headers", function()
    assert.same(takes_nothing, untried { "misuse.h", "misuse.c", "misuse_batch.c", "misuse_cancel.c", "misuse_loops.c",
      "misuse_parts.c", "misuse_session.c", "misuse_values.c" })
  end)

  it("is tried with every function by random programs", function() -- spec/hunt/api_calls.lua runs them
    assert.same(takes_nothing, untried { "random_calls.c", "random_loops.c", "random_requests.c", "random_results.c",
      "random_session.c" })
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
