-- SPDX-License-Identifier: Apache-2.0
-- Callbacks of specs, in loops that LuaJIT would compile. While it looks on how a loop runs, a callback makes it give
-- up; so the loop here calls back only when it has run for long without: compiled, it would end the process.
local ffi = require "ffi"
local util = require "jit.util"
ffi.cdef "void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));"

describe("a C function that calls back", function()
  it("is called from a loop that was hot before it did", function()
    assert.is_true(jit.status()) -- of everything but specs
    local compared = 0
    local compare = ffi.cast("int (*)(const void *, const void *)", function()
      compared = compared + 1
      return 0
    end)
    local two, counts = ffi.new "int[2]", ffi.new "int[5000]"
    for i = 0, 4999 do counts[i] = i < 4000 and 1 or 2 end
    for i = 0, 4999 do ffi.C.qsort(two, counts[i], 4, compare) end
    compare:free()
    assert.is_true(compared >= 1000)
  end)

  -- The chunk of a spec, and what it requires from spec/.
  it("stands in functions that are not compiled", function()
    local function traces()
      local count = 0
      while util.traceinfo(count + 1) do count = count + 1 end
      return count
    end
    local before = traces()
    local sum = 0
    for i = 1, 5000 do sum = sum + i % 7 end
    assert.equal(before, traces(), "a loop of this file was compiled")
    assert.is_true(sum > 0)
  end)
end)
