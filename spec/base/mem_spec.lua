-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

describe("memory", function()
  it("is counted", function()
    local allocs, frees = bytes.memory_of(function()
      local a, b = C.mp_alloc(10), C.mp_calloc(3, 5)
      a = C.mp_realloc(a, 1000)
      local text = C.mp_strndup("abcdef", 3)
      assert.equal("abc", ffi.string(text))
      assert.equal(("\0"):rep(15), ffi.string(ffi.cast("char *", b), 15))
      for _, memory in ipairs { a, b, text } do C.mp_free(memory) end
      C.mp_free(nil)
    end)
    assert.same({ 4, 4 }, { allocs, frees }) -- as many blocks as before
  end)

  it("is counted in bytes, those included that the C library adds", function()
    local function held() return tonumber(C.mp_mem_stats().bytes) end
    local before = held()
    local a, b = C.mp_alloc(1000), C.mp_calloc(10, 50)
    local both = held() - before
    assert.is_true(both >= 1500 and both < 1600)
    a = C.mp_realloc(a, 5000)
    assert.is_true(held() - before >= 5500 and held() - before < 5600)
    C.mp_mem_fail_at(1, false)
    assert.is_true(C.mp_realloc(a, 9000) == nil)
    assert.is_true(held() - before < 5600)
    for _, memory in ipairs { a, b } do C.mp_free(memory) end
    assert.equal(before, held())
  end)

  it("of no bytes is still memory", function()
    for _, memory in ipairs { C.mp_alloc(0), C.mp_calloc(0, 0), C.mp_realloc(nil, 0) } do
      assert.is_true(memory ~= nil)
      C.mp_free(memory)
    end
  end)

  it("fails when it is told to, once or from then on", function()
    local function outcomes(nth, forever)
      local out = {}
      C.mp_mem_fail_at(nth, forever)
      for i = 1, 4 do
        local memory = C.mp_alloc(1)
        out[i] = memory ~= nil
        C.mp_free(memory)
      end
      C.mp_mem_fail_at(0, false)
      return out
    end
    assert.same({ true, false, true, true }, outcomes(2, false))
    assert.same({ true, false, false, false }, outcomes(2, true))
    assert.same({ true, true, true, true }, outcomes(0, true))
  end)
end)
