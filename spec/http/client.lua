-- SPDX-License-Identifier: Apache-2.0
-- A plain HTTP client that blocks, for servers in other processes: get("127.0.0.1", port, path [, method]) and
-- get(path of a socket, nil, path): status, headers (by lower-case name), body; nil when nobody listens.
local ffi = require "ffi"
local bit = require "bit"
local unix = require "spec.support.unix"

ffi.cdef "struct spec_sockaddr_in { uint16_t family; uint16_t port; uint32_t ip; char zero[8]; };"

local client = {}

local function dial(host, port)
  if not port then return unix.dial(host) end
  local fd = ffi.C.socket(2, 1, 0)
  local a, b, c, d = host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
  local at = ffi.new("struct spec_sockaddr_in", { family = 2,
    port = bit.bor(bit.lshift(bit.band(port, 0xff), 8), bit.rshift(port, 8)),
    ip = bit.tobit(a + b * 256 + c * 65536 + d * 16777216) })
  if ffi.C.connect(fd, at, ffi.sizeof(at)) == 0 then return fd end
  ffi.C.close(fd)
end

client.dial = dial

-- Some bytes that come; "" when the other side has closed, and when it is silent for long (or for ms).
local buffer = ffi.new "char[65536]"
function client.receive(fd, ms)
  local wait = ffi.new("struct spec_pollfd[1]", { { fd = fd, events = 1 } })
  if ffi.C.poll(wait, 1, ms or 5000) ~= 1 then return "" end
  return ffi.string(buffer, math.max(0, tonumber(ffi.C.recv(fd, buffer, 65536, 0))))
end

-- Sends bytes and gives all that comes until the other side closes.
function client.raw(host, port, bytes)
  local fd = dial(host, port)
  if not fd then return nil end
  unix.send(fd, bytes)
  local buf, parts = ffi.new "char[65536]", {}
  while true do
    local wait = ffi.new("struct spec_pollfd[1]", { { fd = fd, events = 1 } })
    assert(ffi.C.poll(wait, 1, 20000) == 1, "silence")
    local got = tonumber(ffi.C.recv(fd, buf, 65536, 0))
    if got <= 0 then break end
    parts[#parts + 1] = ffi.string(buf, got)
  end
  ffi.C.close(fd)
  return table.concat(parts)
end

function client.get(host, port, path, method)
  local said = client.raw(host, port, (method or "GET") .. " " .. path
    .. " HTTP/1.1\r\nHost: moonpool\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
  if not said then return nil end
  local head, body = said:match "^(.-)\r\n\r\n(.*)$"
  local headers = {}
  for name, value in (head or ""):gmatch "\r\n([^:\r\n]+): *([^\r\n]*)" do headers[name:lower()] = value end
  return tonumber((head or ""):match "^HTTP/1%.1 (%d+)"), headers, body
end

return client
