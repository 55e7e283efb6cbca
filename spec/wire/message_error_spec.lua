-- SPDX-License-Identifier: Apache-2.0
-- ERROR beyond its golden frames: the map of reasons, and what a hostile node may make of it.
local bytes = require "spec.support.bytes"
local messages = require "spec.support.messages"
local C = require "spec.support.c"

local function decode(hex, version)
  return messages.decode { version = version or 5, response = true, flags = 0, opcode = 0, body = bytes.of(hex) }
end

describe("an error's map of reasons", function()
  local before = "00001300 0000 0001 00000000 00000001 "

  it("has addresses of both kinds", function()
    local rc, body = decode(before .. [[00000002 04 7f000001 0001 10 00000000000000000000000000000001 0002 01]])
    assert.equal(0, rc)
    assert.equal(2, body.failures)
    assert.is_true(body.data_present)
    assert.equal(0, (decode(before .. "00000000 00")))
  end)

  it("cannot be longer than its bytes, nor have other addresses", function()
    for _, hex in ipairs { "ffffffff", "7fffffff 04 7f000001 0001 00", "00000002 04 7f000001 0001 00",
      "00000001 05 7f00000100 0001 00", "00000001 00 0001 00 00 00 00", "00000001 ff 7f000001 0001 00" } do
      assert.equal(C.MP_EPROTO, (decode(before .. hex)))
    end
  end)

  it("was a plain number before v5", function()
    local rc, body = decode(before .. "00000007 00", 4)
    assert.same({ 0, 7, false }, { rc, body.failures, body.data_present })
  end)
end)

describe("an error", function()
  it("of a code nobody knows keeps its message", function()
    local rc, body = decode "00007777 0003 'huh' 01020304"
    assert.equal(0, rc)
    assert.equal("huh", bytes.text(body.message))
    assert.equal(0x7777, body.code)
  end)

  it("of an unknown write type is still one", function()
    local rc, body = decode("00001100 0000 0001 00000000 00000001 0003 'NEW'", 4)
    assert.equal(0, rc)
    assert.equal(C.MP_WRITE_UNKNOWN, tonumber(body.write_type))
  end)
end)
