-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local messages = require "spec.support.messages"
local C = require "spec.support.c"

local function rc(hex)
  return (messages.decode { version = 4, response = true, flags = 0, opcode = 0x0c, body = bytes.of(hex) })
end

describe("an event's address", function()
  local before = "000d 'STATUS_CHANGE' 0004 'DOWN' "

  it("has four bytes or sixteen and a port of sixteen bits", function()
    assert.equal(0, rc(before .. "04 7f000001 0000ffff"))
    for _, hex in ipairs { "00 00002352", "05 7f00000100 00002352", "ff 00002352", "04 7f000001 00010000",
      "04 7f000001 ffffffff", "10 7f000001 00002352" } do
      assert.equal(C.MP_EPROTO, rc(before .. hex))
    end
  end)
end)

describe("an event", function()
  it("of an unknown type may have any content", function()
    assert.equal(0, rc "0003 'NEW'")
    assert.equal(0, rc "0003 'NEW' ffffffff")
    assert.equal(0, rc "0000")
  end)
end)
