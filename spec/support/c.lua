-- SPDX-License-Identifier: Apache-2.0
-- The C code of the runtime as LuaJIT sees it: ffi.C with the declarations of every runtime header.
local ffi = require "ffi"

local path = MOONPOOL_BUILD_DIR .. "/cdef.i"
local file = assert(io.open(path, "r"))
local text = file:read "*a"
file:close()
ffi.cdef(text)

return ffi.C
