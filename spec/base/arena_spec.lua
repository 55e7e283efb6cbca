-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

describe("an arena", function()
  it("gives zeroed aligned memory that never moves, and frees it at once", function()
    local arena, rand = ffi.new "struct mp_arena", bytes.rand(4)
    local allocs, frees = bytes.memory_of(function()
      local given = {}
      C.mp_arena_init(arena)
      for i = 1, 500 do
        local size = i % 50 == 0 and rand(1000, 200000) or rand(0, 100)
        local memory = ffi.cast("uint8_t *", C.mp_arena_alloc(arena, size))
        assert.equal(0, tonumber(ffi.cast("uintptr_t", memory)) % 8)
        assert.equal(("\0"):rep(size), ffi.string(memory, size))
        ffi.fill(memory, size, i % 256)
        given[i] = { memory, size }
      end
      for i, object in ipairs(given) do
        assert.equal(string.char(i % 256):rep(object[2]), ffi.string(object[1], object[2]))
      end
      assert.is_true(arena.total_bytes > 0)
      C.mp_arena_deinit(arena)
    end)
    assert.is_true(allocs > 1)
    assert.equal(allocs, frees)
    assert.equal(0, tonumber(arena.total_bytes))
  end)

  it("takes little more than it holds", function()
    local arena, held = bytes.arena(), 0
    for i = 1, 2000 do
      assert(C.mp_arena_alloc(arena, 16) ~= nil)
      held = held + 16
      assert.is_true(arena.total_bytes <= 256 + 3 * held and arena.total_bytes < 256 + 2 * held + 65536)
      if i == 1 then assert.is_true(arena.total_bytes <= 256) end
    end
  end)

  it("has just the room that was asked for", function()
    local arena = bytes.arena()
    assert.equal(0, tonumber(arena.used_bytes))
    assert.equal(0, C.mp_arena_reserve(arena, 1000))
    local total = tonumber(arena.total_bytes)
    if total == 0 then return end -- the hostile build: each object will have a chunk of its own
    assert.is_true(total >= 1000 and total <= 1016)
    for i = 1, 125 do
      assert.is_true(C.mp_arena_alloc(arena, 7) ~= nil)
      assert.equal(8 * i, tonumber(arena.used_bytes))
    end
    assert.equal(total, tonumber(arena.total_bytes))
    assert.is_true(C.mp_arena_alloc(arena, 1) ~= nil)
    assert.is_true(arena.total_bytes > total)
    assert.equal(1008, tonumber(arena.used_bytes))
    assert.equal(C.MP_ENOMEM, C.mp_arena_reserve(arena, 0xffffffffffffffffULL))
  end)

  it("takes no more than its limit, and remembers that somebody wanted more", function()
    local arena = bytes.arena()
    arena.limit = 10000
    local count = 0
    while C.mp_arena_alloc(arena, 64) ~= nil do count = count + 1 end
    assert.is_true(count > 60 and arena.total_bytes <= 10000, count)
    assert.is_true(arena.full)
    assert.is_true(C.mp_arena_alloc(arena, 100000) == nil)
    local other = bytes.arena()
    other.limit = 10000
    C.mp_mem_fail_at(1, true)
    assert.is_true(C.mp_arena_alloc(other, 64) == nil)
    C.mp_mem_fail_at(0, false)
    assert.is_false(other.full)
  end)

  it("copies text with a NUL behind it", function()
    local arena = bytes.arena()
    for _, text in ipairs { "", "abc", "a\0b", ("x"):rep(5000) } do
      local copy = C.mp_arena_str(arena, bytes.str(text))
      assert.equal(text .. "\0", ffi.string(copy.data, copy.len + 1))
    end
    assert.equal(0, tonumber(C.mp_arena_str(arena, bytes.str(nil)).len))
  end)

  it("gives nothing when there is no memory, or no such amount of it", function()
    local arena = bytes.arena()
    C.mp_mem_fail_at(1, true)
    assert.is_true(C.mp_arena_alloc(arena, 10) == nil)
    assert.is_true(C.mp_arena_str(arena, bytes.str "abc").data == nil)
    C.mp_mem_fail_at(0, false)
    assert.is_true(C.mp_arena_alloc(arena, 0xffffffffffffffffULL) == nil)
    assert.is_true(C.mp_arena_alloc(arena, 10) ~= nil)
  end)
end)
