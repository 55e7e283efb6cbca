-- SPDX-License-Identifier: Apache-2.0
-- Whether a call breaks an invariant: a child of this process makes it, and an assertion ends that by SIGABRT. What the
-- child would say goes nowhere.
local ffi = require "ffi"

pcall(ffi.cdef, "int fork(void);")
pcall(ffi.cdef, "int waitpid(int, int *, int);")
pcall(ffi.cdef, "void _exit(int);")
pcall(ffi.cdef, "int close(int);")

local SIGABRT = 6

local function breaks(fn, ...)
  local pid = ffi.C.fork()
  assert(pid >= 0)
  if pid == 0 then
    ffi.C.close(2)
    pcall(fn, ...)
    ffi.C._exit(0)
  end
  local status = ffi.new "int[1]"
  assert(ffi.C.waitpid(pid, status, 0) == pid)
  return status[0] % 128 == SIGABRT
end
jit.off(breaks)

return breaks
