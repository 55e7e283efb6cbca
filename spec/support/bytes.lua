-- SPDX-License-Identifier: Apache-2.0
-- Bytes for specs of the wire: hex with quoted text, buffers that free themselves, and memory of exactly the size that
-- is asked, so that the sanitizer sees a read one byte too far.
local ffi = require "ffi"
local C = require "spec.support.c"
local hex = require "spec.support.hex"

local M = {}

-- Structs of the C code borrow; what they borrow from stays alive as long as this module.
local anchors = {}
local function anchor(value)
  anchors[#anchors + 1] = value
  return value
end

M.of, M.hex = hex.of, hex.hex

-- A copy in memory of exactly its size.
function M.exact(bytes)
  local memory = ffi.gc(ffi.cast("uint8_t *", C.mp_alloc(#bytes)), C.mp_free)
  ffi.copy(memory, bytes, #bytes)
  return memory
end

function M.buf()
  local buf = ffi.gc(ffi.new "struct mp_buf", C.mp_buf_deinit)
  C.mp_buf_init(buf)
  return buf
end

function M.content(buf)
  assert(not buf.failed, "the buffer has failed")
  return ffi.string(buf.data, buf.len)
end

function M.arena()
  local arena = ffi.gc(ffi.new "struct mp_arena", C.mp_arena_deinit)
  C.mp_arena_init(arena)
  return arena
end

function M.str(text)
  if text == nil then return ffi.new("struct mp_str", nil, 0) end
  return ffi.new("struct mp_str", anchor(text), #text)
end

function M.value(text)
  if text == nil then return ffi.new("struct mp_bytes", nil, -1) end
  return ffi.new("struct mp_bytes", ffi.cast("const uint8_t *", anchor(text)), #text)
end

function M.cursor(bytes)
  local memory = anchor(M.exact(bytes))
  return C.mp_cursor_on(memory, #bytes)
end

-- The text of a struct mp_str or mp_bytes; nil for NULL.
function M.text(str)
  if str.len < 0 or str.data == nil then return nil end
  return ffi.string(str.data, str.len)
end

function M.rest(cursor)
  return ffi.string(cursor.pos, cursor["end"] - cursor.pos)
end

-- Blocks of memory of C that are in use. What Lua let go of is given back first: finalizers run, and then what they
-- held goes.
function M.blocks()
  collectgarbage()
  collectgarbage()
  local stats = C.mp_mem_stats()
  return tonumber(stats.allocs - stats.frees)
end

-- How much memory `fn` took and gave back: two counts. Lua's collector must not free what others left in between.
function M.memory_of(fn)
  collectgarbage()
  collectgarbage()
  collectgarbage "stop"
  local before = C.mp_mem_stats()
  local ok, err = pcall(fn)
  local after = C.mp_mem_stats()
  collectgarbage "restart"
  if not ok then error(err, 0) end
  return tonumber(after.allocs - before.allocs), tonumber(after.frees - before.frees)
end

-- Chance with a seed: the runtime's own generator.
function M.rand(seed)
  local rand = ffi.new "struct mp_rand"
  C.mp_rand_seed(rand, seed)
  return function(from, to) return from + C.mp_rand_below(rand, to - from + 1) end
end

function M.random_bytes(rand, len)
  local out = {}
  for i = 1, len do out[i] = string.char(rand(0, 255)) end
  return table.concat(out)
end

return M
