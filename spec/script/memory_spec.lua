-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

ffi.cdef [[
struct mp_lua_memory { struct { void *current, *first, *last; } classes[32]; void *chunks; uint8_t *pos, *end; };
void mp_lua_memory_init(struct mp_lua_memory *memory);
void mp_lua_memory_deinit(struct mp_lua_memory *memory);
void *mp_lua_memory_alloc(void *data, void *ptr, size_t old_size, size_t size);
]]

describe("the memory of a script state", function()
  local memory

  local function alloc(ptr, old_size, size)
    return ffi.cast("uint8_t *", C.mp_lua_memory_alloc(memory, ptr, old_size, size))
  end

  before_each(function()
    memory = ffi.new "struct mp_lua_memory"
    C.mp_lua_memory_init(memory)
  end)

  after_each(function() C.mp_lua_memory_deinit(memory) end) -- what it forgets the leak checker finds

  it("keeps what is written into its blocks, whatever their sizes become", function()
    local blocks, state = {}, 7
    local function random(below)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % below
    end
    local function check(block)
      for i = 0, block.size - 1 do
        if block.at[i] ~= block.mark then error(("byte %d of %d was overwritten"):format(i, block.size)) end
      end
    end
    for round = 1, 4000 do
      local i = random(60) + 1
      local block = blocks[i]
      local size = random(4) == 0 and random(3000) + 1 or random(600) + 1
      if not block then
        block = { size = size, mark = round % 256, at = alloc(nil, 0, size) }
        assert.equal(0, tonumber(ffi.cast("uintptr_t", block.at) % 16))
        ffi.fill(block.at, size, block.mark)
        blocks[i] = block
      elseif random(2) == 0 then
        check(block)
        block.at = alloc(block.at, block.size, size)
        block.size = math.min(block.size, size)
        check(block)
        block.size = size
        ffi.fill(block.at, size, block.mark)
      else
        check(block)
        assert.is_true(alloc(block.at, block.size, 0) == nil)
        blocks[i] = nil
      end
    end
    for _, block in pairs(blocks) do
      check(block)
      alloc(block.at, block.size, 0)
    end
  end)

  it("gives a block that was freed to the next one of its class, without asking for memory", function()
    local first = alloc(nil, 0, 100)
    alloc(first, 100, 0)
    local before = C.mp_mem_stats().allocs
    for _ = 1, 1000 do
      local block = alloc(nil, 0, 97)
      assert.is_true(block == first)
      alloc(block, 97, 0)
    end
    assert.equal(before, C.mp_mem_stats().allocs)
  end)

  it("takes the pages that have free blocks before it asks for new ones", function()
    local blocks = {}
    for i = 1, 3000 do blocks[i] = alloc(nil, 0, 200) end
    for i = 1, 3000 do alloc(blocks[i], 200, 0) end
    local before, known, fresh = C.mp_mem_stats().allocs, {}, 0
    for i = 1, 3000 do known[tonumber(ffi.cast("uintptr_t", blocks[i]))] = true end
    for _ = 1, 3000 do
      local at = tonumber(ffi.cast("uintptr_t", alloc(nil, 0, 200)))
      if not known[at] then fresh = fresh + 1 end
      known[at] = nil
    end
    assert.is_true(fresh < 100) -- the rest of the last page
    assert.equal(before, C.mp_mem_stats().allocs)
  end)

  it("moves nothing that stays within its class", function()
    local block = alloc(nil, 0, 33)
    assert.is_true(alloc(block, 33, 48) == block)
    assert.is_true(alloc(block, 48, 49) ~= block)
  end)

  it("says no when there is no memory, and shrinks all the same", function()
    local large, small = alloc(nil, 0, 100000), alloc(nil, 0, 400)
    for class = 1, 15 do alloc(nil, 0, class * 16) end -- the other pages of the chunk
    C.mp_mem_fail_at(1, true)
    assert.is_true(alloc(nil, 0, 300) == nil)
    assert.is_true(alloc(nil, 0, 100000) == nil)
    assert.is_true(alloc(large, 100000, 200000) == nil)
    assert.is_true(alloc(large, 100000, 50000) ~= nil)
    assert.is_true(alloc(small, 400, 300) == small)
    C.mp_mem_fail_at(0, false)
    alloc(large, 50000, 0)
    alloc(small, 300, 0)
    assert.is_true(alloc(nil, 0, 390) == small)
  end)
end)
