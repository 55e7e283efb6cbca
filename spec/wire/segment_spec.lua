-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local C = require "spec.support.c"
local ffi = require "ffi"

local MAX = 131071

local function le(number, count)
  local out = {}
  for i = 1, count do out[i], number = string.char(number % 256), math.floor(number / 256) end
  return table.concat(out)
end

local function segment(payload, before)
  local buf = bytes.buf()
  C.mp_buf_bytes(buf, before or "", #(before or ""))
  local begin = C.mp_segment_begin(buf)
  C.mp_buf_bytes(buf, payload, #payload)
  C.mp_segment_end(buf, begin)
  return bytes.content(buf)
end

-- Both sums once more, in Lua.
local function crc24(header)
  local crc = 0x875060
  for i = 1, #header do
    crc = bit.bxor(crc, bit.lshift(header:byte(i), 16))
    for _ = 1, 8 do
      crc = bit.lshift(crc, 1)
      if bit.band(crc, 0x1000000) ~= 0 then crc = bit.bxor(crc, 0x1974f0b) end
    end
  end
  return crc
end

local crc32_table = {}
for i = 0, 255 do
  local crc = i
  for _ = 1, 8 do crc = bit.bxor(bit.rshift(crc, 1), bit.band(crc, 1) == 1 and 0xedb88320 or 0) end
  crc32_table[i] = crc
end

local function crc32(text)
  local crc = -1
  for i = 1, #text do
    crc = bit.bxor(bit.rshift(crc, 8), crc32_table[bit.band(bit.bxor(crc, text:byte(i)), 255)])
  end
  return bit.bnot(crc) % 0x100000000
end

-- { payload, self_contained }..., with both sums checked.
local function take_apart(all)
  local out, at = {}, 1
  while at <= #all do
    local b1, b2, b3 = all:byte(at, at + 2)
    local word = b1 + b2 * 256 + b3 * 65536
    assert.equal(le(crc24(all:sub(at, at + 2)), 3), all:sub(at + 3, at + 5))
    local len = word % 131072
    local payload = all:sub(at + 6, at + 5 + len)
    assert.equal(le(crc32("\xfa\x2d\x55\xca" .. payload), 4), all:sub(at + 6 + len, at + 9 + len))
    out[#out + 1] = { payload, math.floor(word / 131072) == 1 }
    at = at + 10 + len
  end
  return out
end

describe("the CRC24 of a header", function()
  it("gives the values of the Java driver's tests", function()
    local zero, max = ("\0"):rep(8), ("\255"):rep(7) .. "\127"
    for _, case in ipairs {
      { "", 8867936 }, { zero:sub(1, 1), 59277 }, { zero:sub(1, 3), 8251255 }, { zero:sub(1, 5), 11185162 },
      { zero, 9640737 }, { max:sub(1, 1), 1294145 }, { max:sub(1, 3), 8029951 }, { max:sub(1, 5), 9326200 },
      { max, 5032370 }, { le(131077, 3), 10131737 }, { le(17181442053, 5), 3672222 }, { le(34359607301, 5), 14445742 },
    } do
      assert.equal(case[2], C.mp_crc24(case[1], #case[1]))
    end
  end)
end)

describe("the CRC32 of a payload", function()
  local function crc(payload) return C.mp_crc32_segment(payload, #payload) end

  it("begins with the four bytes of the specification", function()
    assert.equal(crc32 "\xfa\x2d\x55\xca", crc "")
    assert.equal(crc32 "\xfa\x2d\x55\xca123456789", crc "123456789")
  end)

  it("gives what the Java driver computed for real payloads", function()
    assert.equal(37932456, crc(bytes.of [[06 10 0000 07 0000002f 00000025 'SELECT cluster_name FROM system.local'
      0001 00000000]]))
    assert.equal(3652962632, crc(bytes.of [[06 10 0000 07 00000024 0000001a 'SELECT * FROM system.local' 0001 00000000
      06 10 0001 07 00000027 0000001d 'SELECT * FROM system.peers_v2' 0001 00000000]]))
  end)
end)

describe("a segment", function()
  it("of five bytes is known to the last bit", function()
    -- 131077 = 5 bytes and the self-contained bit; its CRC24 is 0x9a9919.
    local all = segment "hello"
    assert.equal("05000219999a", bytes.hex(all:sub(1, 6)))
    assert.same({ { "hello", true } }, take_apart(all))
  end)

  it("of nothing is nothing", function()
    assert.equal("", segment "")
    assert.equal("abc", segment("", "abc"))
  end)

  it("may be as large as seventeen bits say", function()
    local payload = ("x"):rep(MAX)
    assert.same({ { payload, true } }, take_apart(segment(payload)))
  end)

  it("becomes several that are not self-contained when the payload is larger", function()
    local rand = bytes.rand(3)
    for _, len in ipairs { MAX + 1, 2 * MAX - 1, 2 * MAX, 2 * MAX + 1, 3 * MAX + 77 } do
      local payload = bytes.random_bytes(rand, 997):rep(math.ceil(len / 997)):sub(1, len)
      local parts = take_apart(segment(payload, "before"):sub(7))
      local joined = {}
      for i, part in ipairs(parts) do
        assert.is_false(part[2])
        assert.is_true(#part[1] == MAX or i == #parts)
        joined[i] = part[1]
      end
      assert.equal(math.ceil(len / MAX), #parts)
      assert.is_true(table.concat(joined) == payload)
    end
  end)

  it("that cannot be sealed for lack of memory marks the buffer, in which nothing moves", function()
    for _, len in ipairs { 77, MAX, MAX + 1, 2 * MAX, 3 * MAX + 5 } do
      local buf = bytes.buf()
      C.mp_buf_bytes(buf, "before", 6)
      local begin = C.mp_segment_begin(buf)
      local payload = bytes.random_bytes(bytes.rand(len), len)
      C.mp_buf_bytes(buf, payload, #payload)
      buf.cap = buf.len -- as if it were exactly full
      local before = ffi.string(buf.data, buf.len)
      C.mp_mem_fail_at(1, false)
      C.mp_segment_end(buf, begin)
      C.mp_mem_fail_at(0, false)
      assert.is_true(buf.failed)
      assert.equal(C.MP_ENOMEM, C.mp_buf_status(buf))
      assert.equal(#before, tonumber(buf.len))
      assert.is_true(ffi.string(buf.data, buf.len) == before)
    end
  end)
end)
