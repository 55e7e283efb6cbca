-- SPDX-License-Identifier: Apache-2.0
-- What is not the client's - a scripted node, an oracle - has memory while the n-th allocation is made to fail: its own
-- neither fail nor are counted, so which of them it is does not decide what a spec sees.
local ffi = require "ffi"
local C = require "spec.support.c"

ffi.cdef [[
void spec_openssl_spare(bool on);
void spec_lua_spare(bool on);
]]

local function set(on)
  C.spec_openssl_spare(on)
  C.spec_lua_spare(on)
  return C.mp_mem_spare(on)
end

local function over(before, ok, ...)
  set(before)
  if not ok then error((...), 0) end
  return ...
end

-- The same function, which must not wait: the client's code would be spared, too.
local function spared(fn)
  return function(...) return over(set(true), xpcall(fn, debug.traceback, ...)) end
end

return spared
