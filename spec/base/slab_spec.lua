-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

local function take(slab) return C.mp_slab_take(slab) end

describe("a slab", function()
  it("gives distinct zeroed objects, aligned, and takes no memory for those it had", function()
    local slab, taken, seen = ffi.new "struct mp_slab", {}, {}
    C.mp_slab_init(slab, 40, nil, nil)
    for i = 1, 3000 do
      local object = ffi.cast("uint64_t *", C.mp_slab_take(slab))
      local address = tonumber(ffi.cast("uintptr_t", object))
      assert.equal(0, address % 16)
      assert.is_nil(seen[address])
      for word = 0, 4 do assert.is_true(object[word] == 0) end
      for word = 0, 4 do object[word] = i end
      seen[address], taken[i] = true, object
    end
    for i = 1, 3000 do assert.is_true(taken[i][4] == i) end
    assert.equal(3000, tonumber(slab.in_use))
    for i = 1, 3000 do C.mp_slab_give(slab, taken[i]) end
    local before = C.mp_mem_stats().allocs
    for i = 1, 3000 do taken[i] = C.mp_slab_take(slab) end
    assert.equal(before, C.mp_mem_stats().allocs)
    for i = 1, 3000 do C.mp_slab_give(slab, taken[i]) end
    C.mp_slab_deinit(slab)
  end)

  it("gives large objects cache lines of their own", function()
    for _, size in ipairs { 128, 129, 184, 1000 } do
      local slab, taken, step = ffi.new "struct mp_slab", {}, size > 128 and 64 or 16
      C.mp_slab_init(slab, size, nil, nil)
      for i = 1, 100 do
        taken[i] = ffi.cast("uint8_t *", C.mp_slab_take(slab))
        assert.equal(0, tonumber(ffi.cast("uintptr_t", taken[i])) % step)
        ffi.fill(taken[i], size, i)
      end
      for i = 1, 100 do
        assert.equal(i, taken[i][8])
        assert.equal(i, taken[i][size - 1])
        C.mp_slab_give(slab, taken[i])
      end
      C.mp_slab_deinit(slab)
    end
  end)

  it("keeps an object's content but for its first word", function()
    local slab = ffi.new "struct mp_slab"
    C.mp_slab_init(slab, 24, nil, nil)
    local object = ffi.cast("uint64_t *", C.mp_slab_take(slab))
    object[1], object[2] = 11, 22
    C.mp_slab_give(slab, object)
    local again = ffi.cast("uint64_t *", C.mp_slab_take(slab))
    assert.is_true(again == object and again[1] == 11 and again[2] == 22 and again[0] == 0)
    C.mp_slab_give(slab, again)
    C.mp_slab_deinit(slab)
  end)

  it("constructs and destructs each object once", function()
    local made, ended = {}, {}
    local function mark(into)
      return ffi.cast("void (*)(void *)", function(object)
        local address = tonumber(ffi.cast("uintptr_t", object))
        into[address] = (into[address] or 0) + 1
      end)
    end
    local construct, destruct = mark(made), mark(ended)
    local slab, objects = ffi.new "struct mp_slab", {}
    C.mp_slab_init(slab, 32, construct, destruct)
    for _ = 1, 3 do
      for i = 1, 40 do objects[i] = take(slab) end
      for i = 1, 40 do C.mp_slab_give(slab, objects[i]) end
    end
    local total = tonumber(slab.total)
    C.mp_slab_deinit(slab)
    local count = 0
    for address, times in pairs(made) do
      count = count + 1
      assert.same({ 1, 1 }, { times, ended[address] })
    end
    assert.equal(total, count)
    construct:free()
    destruct:free()
  end)

  it("gives nothing when there is no memory, and goes on later", function()
    local slab = ffi.new "struct mp_slab"
    C.mp_slab_init(slab, 32, nil, nil)
    C.mp_mem_fail_at(1, false)
    assert.is_true(C.mp_slab_take(slab) == nil)
    C.mp_mem_fail_at(0, false)
    local object = C.mp_slab_take(slab)
    assert.is_true(object ~= nil)
    C.mp_slab_give(slab, object)
    C.mp_slab_deinit(slab)
  end)
end)
