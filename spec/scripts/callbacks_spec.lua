-- SPDX-License-Identifier: Apache-2.0
-- Callbacks of specs, in loops that LuaJIT would compile: the process would end here.
local ffi = require "ffi"
ffi.cdef "void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));"

describe("a C function that calls back", function()
  it("is called from loops as often as a spec likes", function()
    assert.is_true(jit.status()) -- of everything but specs
    local compared = 0
    local compare = ffi.cast("int (*)(const void *, const void *)", function()
      compared = compared + 1
      return 0
    end)
    local two = ffi.new "int[2]"
    for _ = 1, 5000 do ffi.C.qsort(two, 2, 4, compare) end
    compare:free()
    assert.is_true(compared >= 5000)
  end)
end)
