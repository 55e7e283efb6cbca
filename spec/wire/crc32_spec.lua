-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local C = require "spec.support.c"

local function noise(len)
  local out, state = {}, 12345
  for i = 1, len do
    state = (state * 1103515245 + 12345) % 2147483648
    out[i] = string.char(math.floor(state / 65536) % 256)
  end
  return table.concat(out)
end

describe("the CRC-32", function()
  it("is the one everybody means", function()
    assert.equal(0xcbf43926, C.mp_crc32(0, "123456789", 9))
    assert.equal(0, C.mp_crc32(0, "", 0))
    assert.equal(0x414fa339, C.mp_crc32(0, "The quick brown fox jumps over the lazy dog", 43))
  end)

  it("is the same for a text whole and byte by byte, at every length and place", function()
    local text = noise(1100)
    local buf = bytes.buf()
    C.mp_buf_bytes(buf, text, #text)
    for _, from in ipairs { 0, 1, 7, 15 } do
      local stepped = 0xdeadbeef
      for len = 0, 1024 do
        assert.equal(stepped, C.mp_crc32(0xdeadbeef, buf.data + from, len), ("%d bytes from %d"):format(len, from))
        stepped = C.mp_crc32(stepped, buf.data + from + len, 1)
      end
    end
  end)

  it("goes on from any cut", function()
    local text = noise(700)
    local whole = C.mp_crc32(0, text, #text)
    for cut = 0, 700, 13 do
      local first = C.mp_crc32(0, text:sub(1, cut), cut)
      assert.equal(whole, C.mp_crc32(first, text:sub(cut + 1), #text - cut))
    end
  end)
end)
