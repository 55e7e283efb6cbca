-- SPDX-License-Identifier: Apache-2.0
-- What the C code cannot do itself: make LuaJIT's 64-bit integers from two halves and take them apart again.
local ffi = require "ffi"
local bit = require "bit"

local int64 = ffi.typeof "int64_t"
local uint64 = ffi.typeof "uint64_t"

local int64_functions = {}

-- high: -2^31 .. 2^31 - 1, low: 0 .. 2^32 - 1
function int64_functions.make(high, low)
  return bit.bor(bit.lshift(int64(high), 32), int64(low))
end

-- high, low; false: too large for int64_t; nil: not a 64-bit integer
function int64_functions.split(value)
  if ffi.istype(uint64, value) then
    if value > 0x7fffffffffffffffULL then return false end
    value = int64(value)
  elseif not ffi.istype(int64, value) then
    return nil
  end
  return tonumber(bit.arshift(value, 32)), tonumber(bit.band(value, 0xffffffffLL))
end

return int64_functions
