-- SPDX-License-Identifier: Apache-2.0
-- How much memory this process holds, exactly: what the sanitizer's allocator has given out, or, without one, the
-- C library's.
local ffi = require "ffi"

ffi.cdef [[
size_t __sanitizer_get_current_allocated_bytes(void);
struct mp_spec_mallinfo {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mp_spec_mallinfo mallinfo2(void);
]]

local memory = {}

local has_sanitizer = pcall(function() return ffi.C.__sanitizer_get_current_allocated_bytes end)

-- Bytes in use, without what Lua would throw away.
function memory.held()
  collectgarbage()
  collectgarbage()
  if has_sanitizer then return tonumber(ffi.C.__sanitizer_get_current_allocated_bytes()) end
  local info = ffi.C.mallinfo2()
  return tonumber(info.uordblks + info.hblkhd)
end

return memory
