-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

describe("an envelope's header", function()
  it("is nine bytes with the length of what follows", function()
    local buf = bytes.buf()
    C.mp_buf_text(buf, "before")
    local begin = C.mp_envelope_begin(buf, 5, true, 0x0a, -1, C.MP_OP_EVENT)
    assert.equal(6, tonumber(begin))
    C.mp_buf_text(buf, "body")
    C.mp_envelope_end(buf, begin)
    assert.equal(bytes.of "'before' 85 0a ffff 0c 00000004 'body'", bytes.content(buf))
  end)

  it("holds all stream ids", function()
    for _, stream in ipairs { 0, 1, 255, 256, 32767, -1, -32768 } do
      local buf = bytes.buf()
      C.mp_envelope_end(buf, C.mp_envelope_begin(buf, 4, false, 0, stream, C.MP_OP_OPTIONS))
      local high, low = buf.data[2], buf.data[3]
      assert.equal(stream % 65536, high * 256 + low)
    end
  end)

  it("survives a buffer that could not grow", function()
    local buf = bytes.buf()
    C.mp_mem_fail_at(1, false)
    local begin = C.mp_envelope_begin(buf, 4, false, 0, 1, C.MP_OP_OPTIONS)
    C.mp_envelope_end(buf, begin)
    C.mp_mem_fail_at(0, false)
    assert.equal(C.MP_ENOMEM, C.mp_buf_status(buf))
  end)

  it("of more than an [int] can tell is refused", function()
    local buf = bytes.buf()
    for _, body in ipairs { 2147483647, 2147483648 } do
      C.mp_buf_clear(buf)
      local begin = C.mp_envelope_begin(buf, 4, false, 0, 1, C.MP_OP_QUERY)
      local len = buf.len
      buf.len = len + body -- as if it were there
      C.mp_envelope_end(buf, begin)
      buf.len = len
      assert.equal(body > 2147483647, buf.failed)
    end
  end)
end)

describe("an opcode", function()
  it("has a name and one direction", function()
    local requests = { STARTUP = 1, OPTIONS = 5, QUERY = 7, PREPARE = 9, EXECUTE = 10, REGISTER = 11, BATCH = 13,
      AUTH_RESPONSE = 15 }
    local responses = { ERROR = 0, READY = 2, AUTHENTICATE = 3, SUPPORTED = 6, RESULT = 8, EVENT = 12,
      AUTH_CHALLENGE = 14, AUTH_SUCCESS = 16 }
    local known = {}
    for name, code in pairs(requests) do known[code] = { name, true, false } end
    for name, code in pairs(responses) do known[code] = { name, false, true } end
    for code = 0, 255 do
      local expected = known[code] or { "?", false, false }
      assert.same(expected, { ffi.string(C.mp_opcode_name(code)), C.mp_opcode_is_request(code),
        C.mp_opcode_is_response(code) })
    end
  end)
end)
