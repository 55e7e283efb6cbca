-- SPDX-License-Identifier: Apache-2.0
-- A datagram socket of a spec's, named by a variable of the environment: what a daemon of the system would hear.
local ffi = require "ffi"
local policies = require "spec.support.policies"
require "spec.support.unix" -- socket, recv, poll, close

ffi.cdef [[
int spec_datagrams_bind(int fd, const void *addr, unsigned len) __asm__("bind");
int spec_datagrams_setenv(const char *name, const char *value, int overwrite) __asm__("setenv");
int spec_datagrams_unsetenv(const char *name) __asm__("unsetenv");
]]

local address = ffi.typeof "struct spec_sockaddr_un"
local poll_of_one = ffi.typeof "struct spec_pollfd[1]"
local BYTES = 20000
local buffer = ffi.new("char[?]", BYTES)

local Datagrams = {}
Datagrams.__index = Datagrams

-- The next one that is there, or nil.
function Datagrams:take()
  local wait = poll_of_one { { fd = self.fd, events = 1 } }
  if ffi.C.poll(wait, 1, 0) ~= 1 then return nil end
  return ffi.string(buffer, ffi.C.recv(self.fd, buffer, BYTES, 0))
end

function Datagrams:close()
  ffi.C.spec_datagrams_unsetenv(self.variable)
  ffi.C.close(self.fd)
  policies.remove(self.folder)
end

local M = {}

function M.open(variable)
  local folder = policies.folder()
  local self = setmetatable({ variable = variable, folder = folder, fd = ffi.C.socket(1, 2, 0) }, Datagrams)
  local at = address { family = 1, path = folder .. "/socket" }
  assert(ffi.C.spec_datagrams_bind(self.fd, at, ffi.sizeof(at)) == 0)
  ffi.C.spec_datagrams_setenv(variable, folder .. "/socket", 1)
  return self
end

return M
