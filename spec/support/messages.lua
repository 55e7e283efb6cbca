-- SPDX-License-Identifier: Apache-2.0
-- Decodes the body of an envelope to its last byte, whatever it is.
local ffi = require "ffi"
local C = require "spec.support.c"
local bytes = require "spec.support.bytes"

local M = {}

local OP = { ERROR = 0x00, AUTHENTICATE = 0x03, SUPPORTED = 0x06, RESULT = 0x08, EVENT = 0x0c, AUTH_CHALLENGE = 0x0e,
  AUTH_SUCCESS = 0x10 }

-- LuaJIT has no callbacks with structs by value; two strings are four plain words in the calling conventions we build
-- for. Parsed once: LuaJIT keeps each parsed function type for ever, and has room for 65,536.
local on_value_type = ffi.typeof "void (*)(void *, const char *, size_t, const char *, size_t)"

local supported
local function decode_supported(body)
  supported = {}
  local callback = ffi.cast(on_value_type, function(_, key, key_len, value, value_len)
    supported[#supported + 1] = ffi.string(key, key_len) .. "=" .. ffi.string(value, value_len)
  end)
  local rc = C.mp_decode_supported(body, ffi.cast("void *", callback), nil)
  callback:free()
  return rc
end

local function read_rows(result)
  if result.kind ~= C.MP_RESULT_ROWS then return 0 end
  local cursor = ffi.new("struct mp_cursor", result.rows)
  local values = ffi.new("struct mp_bytes[?]", math.max(1, result.column_count))
  for _ = 1, result.row_count do
    local rc = C.mp_row_read(cursor, values, result.column_count)
    if rc ~= 0 then return rc end
  end
  return 0
end

-- The prefix and body of a response: rc and what was decoded. Metadata it owns is freed with it.
function M.response(env, keep_rows)
  local prefix = ffi.new "struct mp_response_prefix"
  local rc = C.mp_decode_prefix(env, prefix)
  if rc ~= 0 then return rc end
  if env.opcode == OP.RESULT then
    local result = ffi.gc(ffi.new "struct mp_result_body", C.mp_result_drop)
    rc = C.mp_decode_result(prefix.body, env.version, result)
    if rc == 0 and not keep_rows then rc = read_rows(result) end
    return rc, result, prefix
  elseif env.opcode == OP.ERROR then
    local body = ffi.new "struct mp_error_body"
    return C.mp_decode_error(prefix.body, env.version, body), body, prefix
  elseif env.opcode == OP.EVENT then
    local body = ffi.new "struct mp_event_body"
    return C.mp_decode_event(prefix.body, env.version, body), body, prefix
  elseif env.opcode == OP.AUTHENTICATE then
    local name = ffi.new "struct mp_str"
    rc = C.mp_decode_authenticate(prefix.body, name)
    return rc, rc == 0 and bytes.text(name) or nil, prefix
  elseif env.opcode == OP.AUTH_CHALLENGE or env.opcode == OP.AUTH_SUCCESS then
    local token = ffi.new "struct mp_bytes"
    rc = C.mp_decode_auth_token(prefix.body, token)
    return rc, rc == 0 and bytes.text(token) or nil, prefix
  elseif env.opcode == OP.SUPPORTED then
    rc = decode_supported(prefix.body)
    return rc, supported, prefix
  end
  return 0, nil, prefix
end

-- An envelope over a copy of `body` in memory of exactly its size.
function M.envelope(fields)
  local env = ffi.new "struct mp_envelope"
  env.version, env.response, env.flags = fields.version, fields.response, fields.flags
  env.stream, env.opcode = fields.stream or 0, fields.opcode
  local memory = bytes.exact(fields.body)
  env.body, env.body_len = memory, #fields.body
  return env, memory
end

-- What was decoded borrows from the last body, which lives until the next one.
local last

-- Decode an envelope given as a table: rc, the decoded body, the prefix, and the memory they borrow from.
function M.decode(fields, keep_rows)
  local env, memory = M.envelope(fields)
  last = memory
  if fields.response then
    local rc, body, prefix = M.response(env, keep_rows)
    return rc, body, prefix, memory
  end
  local request = ffi.new "struct mp_request_body"
  return C.mp_decode_request(env, request), request, nil, last
end

return M
