-- SPDX-License-Identifier: Apache-2.0
-- HTTP as the specs of nginx speak it, from coroutines of moonpool: a simulated cluster in this process goes on.
--
--   local status, body = http.request(port, "/path", { method = "PUT", body = "...", headers = "X: 1\r\n" })
--   local call = http.begin(port, "/path")   call:finish() -> status, body   call:abort()
-- A request has a connection of its own. status is nil when the connection ended before the answer had.
local bit = require "bit"
local ffi = require "ffi"
local moonpool = require "moonpool"
require "spec.support.unix" -- declares sockets

ffi.cdef "struct spec_http_address { uint16_t family; uint16_t port; uint32_t ip; char zero[8]; };"
local AF_INET, SOCK_STREAM, SOCK_CLOEXEC = 2, 1, 0x80000
local NOSIGNAL, DONTWAIT, EAGAIN = 0x4000, 0x40, 11
local SIZE = 65536
local PATIENCE = 60000 -- looks at a socket that has nothing, a millisecond or more each

local http = {}
local buffer = ffi.new("char[?]", SIZE)

local Call = {}
Call.__index = Call

local function swapped(port) return bit.bor(bit.lshift(bit.band(port, 0xff), 8), bit.rshift(port, 8)) end

function http.begin(port, path, options)
  options = options or {}
  local fd = ffi.C.socket(AF_INET, SOCK_STREAM + SOCK_CLOEXEC, 0)
  local at = ffi.new("struct spec_http_address", { AF_INET, swapped(port), 0x0100007f })
  local self = setmetatable({ fd = fd, parts = {} }, Call)
  if ffi.C.connect(fd, at, ffi.sizeof(at)) ~= 0 then
    self:abort()
    return self
  end
  local body = options.body or ""
  local text = ("%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n%s"):format(options.method or "GET",
    path, #body, options.headers or "", body)
  if ffi.C.send(fd, text, #text, NOSIGNAL) ~= #text then self:abort() end
  return self
end

function Call:abort()
  if self.fd then ffi.C.close(self.fd) end
  self.fd = nil
end

-- True when all has come.
function Call:step()
  if not self.fd then return true end
  local n = tonumber(ffi.C.recv(self.fd, buffer, SIZE, DONTWAIT))
  if n > 0 then
    self.parts[#self.parts + 1] = ffi.string(buffer, n)
    return false
  end
  if n < 0 and ffi.errno() == EAGAIN then
    self.looks = (self.looks or 0) + 1
    if self.looks > PATIENCE then error("no answer from nginx", 0) end
    moonpool.sleep(1)
    return false
  end
  self:abort()
  return true
end

function Call:finish()
  while not self:step() do end -- luacheck: ignore 542
  local text = table.concat(self.parts)
  local status, head, body = text:match "^HTTP/1%.%d (%d+)(.-)\r\n\r\n(.*)$"
  local length = head and tonumber(head:match "[Cc]ontent%-[Ll]ength: (%d+)")
  if length and #body < length then return nil, text end
  return tonumber(status), body or text, head
end

function http.request(...) return http.begin(...):finish() end

-- `count` requests, `width` at a time: path(i), and seen(i, status, body) for each.
function http.load(port, count, width, path, seen)
  local next, futures = 0, {}
  local function work()
    while next < count do
      next = next + 1
      local i = next
      seen(i, http.request(port, path(i)))
    end
  end
  for w = 1, width do futures[w] = moonpool.spawn(work) end
  assert(moonpool.all(futures))
end

return http
