-- SPDX-License-Identifier: Apache-2.0
-- TCP ports for this process alone: a hundred in a row, so that specs which run side by side on one machine never meet.
--   ports.at(7)   a port; the same number always means the same one
-- The numbers that are taken: 1 to 3 and 10 loops, 4 and 5 the status page, 20 and 21 simulated clusters, 22 plain
-- LuaJIT, 23 and 24 the command line, 25 benchmarks, 26, 27 and 29 nginx, 30 to 59 embedded clusters
-- (MOONPOOL_EMBEDDED_PORT), 8 torture, 60 to 89 bad nodes, 90 to 99 the C API.
local ffi = require "ffi"
local bit = require "bit"

ffi.cdef [[
struct spec_ports_address { uint16_t family; uint16_t port; uint32_t ip; char zero[8]; };
int spec_ports_socket(int domain, int type, int protocol) __asm__("socket");
int spec_ports_bind(int fd, const struct spec_ports_address *address, uint32_t size) __asm__("bind");
int spec_ports_close(int fd) __asm__("close");
int spec_ports_getpid(void) __asm__("getpid");
int spec_ports_setenv(const char *name, const char *value, int overwrite) __asm__("setenv");
]]
local AF_INET, SOCK_STREAM, SOCK_CLOEXEC = 2, 1, 0x80000
local FIRST, BLOCKS, SIZE = 10000, 200, 100

local function swapped(port) return bit.bor(bit.lshift(bit.band(port, 0xff), 8), bit.rshift(port, 8)) end

-- The first port of a block is bound as long as the process lives: who can bind it owns the block.
local function owns(base)
  local fd = ffi.C.spec_ports_socket(AF_INET, SOCK_STREAM + SOCK_CLOEXEC, 0)
  local address = ffi.new("struct spec_ports_address", { AF_INET, swapped(base), 0x0100007f })
  if ffi.C.spec_ports_bind(fd, address, ffi.sizeof(address)) == 0 then return true end
  ffi.C.spec_ports_close(fd)
  return false
end

local base
local first = ffi.C.spec_ports_getpid() % BLOCKS
for i = 0, BLOCKS - 1 do
  local candidate = FIRST + (first + i) % BLOCKS * SIZE
  if owns(candidate) then
    base = candidate
    break
  end
end
assert(base, "no hundred ports in a row are free below 30000")
ffi.C.spec_ports_setenv("MOONPOOL_EMBEDDED_PORT", tostring(base + 30), 1)

return { at = function(number) return base + number end }
