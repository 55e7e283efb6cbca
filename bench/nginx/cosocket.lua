-- SPDX-License-Identifier: Apache-2.0
-- The shape of the Cassandra clients that OpenResty has had: a cosocket from nginx's keepalive pool for each request,
-- one request on it at a time, stream id 0, protocol v4. As lean as that shape can be: a prepared statement with one
-- bigint, of whose answer the first column of the first row is read. No routing, no retries, no other types.
local bit = require "bit"

local HOST, IDLE_MS, KEPT = "127.0.0.1", 60000, 1024
local VERSION = 0x04
local STARTUP, PREPARE, EXECUTE = 0x01, 0x09, 0x0A

local cosocket = { port = 0 }

local prepared -- the statement's id, the same at every connection

local function int16(n) return string.char(bit.rshift(n, 8), bit.band(n, 255)) end
local function int32(n)
  return string.char(bit.band(bit.rshift(n, 24), 255), bit.band(bit.rshift(n, 16), 255),
    bit.band(bit.rshift(n, 8), 255), bit.band(n, 255))
end
local function read16(text, at) return text:byte(at) * 256 + text:byte(at + 1) end
local function read32(text, at) return read16(text, at) * 65536 + read16(text, at + 2) end

local function ask(socket, opcode, body)
  local ok, err = socket:send(string.char(VERSION, 0, 0, 0, opcode) .. int32(#body) .. body)
  if not ok then return nil, err end
  local head
  head, err = socket:receive(9)
  if not head then return nil, err end
  local answer
  answer, err = socket:receive(read32(head, 6))
  if not answer then return nil, err end
  if head:byte(5) == 0 then return nil, answer end
  return answer
end

local function begin(socket, cql)
  local ok, err = ask(socket, STARTUP, int16(1) .. int16(11) .. "CQL_VERSION" .. int16(5) .. "3.0.0")
  if not ok then return nil, err end
  if prepared then return true end
  local answer
  answer, err = ask(socket, PREPARE, int32(#cql) .. cql)
  if not answer then return nil, err end
  prepared = answer:sub(7, 6 + read16(answer, 5))
  return true
end

-- ROWS without metadata: kind, flags, columns, rows, then the values.
local function first_value(answer)
  local at = 13 -- behind kind, flags and the number of columns
  local length = read32(answer, at + 4)
  return answer:sub(at + 8, at + 7 + length)
end

function cosocket.execute(cql, key)
  local socket = ngx.socket.tcp()
  local ok, err = socket:connect(HOST, cosocket.port, { pool_size = KEPT })
  if not ok then return nil, err end
  if socket:getreusedtimes() == 0 then
    ok, err = begin(socket, cql)
    if not ok then return nil, err end
  end
  -- LOCAL_ONE; values and no metadata; one value of eight bytes
  local answer
  answer, err = ask(socket, EXECUTE, int16(#prepared) .. prepared .. int16(0x000A) .. "\3" .. int16(1) .. int32(8) ..
    int32(0) .. int32(key))
  if not answer then return nil, err end
  socket:setkeepalive(IDLE_MS, KEPT)
  return first_value(answer)
end

return cosocket
