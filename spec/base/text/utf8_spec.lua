-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local random = require "spec.hunt.random"

local function valid(text) return C.mp_utf8_is_valid(text, #text) end

-- The bytes of a code point, as RFC 3629 draws them.
local function encoded(point)
  local char, floor = string.char, math.floor
  if point < 0x80 then return char(point) end
  if point < 0x800 then return char(0xc0 + floor(point / 64), 0x80 + point % 64) end
  if point < 0x10000 then
    return char(0xe0 + floor(point / 4096), 0x80 + floor(point / 64) % 64, 0x80 + point % 64)
  end
  return char(0xf0 + floor(point / 262144), 0x80 + floor(point / 4096) % 64, 0x80 + floor(point / 64) % 64,
    0x80 + point % 64)
end

describe("UTF-8", function()
  it("is every code point in its shortest form, and nothing else", function()
    local all, wrong = {}, {}
    local function expect(want, text)
      if valid(text) ~= want then wrong[#wrong + 1] = ("%q"):format(text) end
    end
    for point = 0, 0x10ffff do
      local is_surrogate = point >= 0xd800 and point <= 0xdfff
      if point % 97 == 0 or point < 0x900 or is_surrogate or point > 0x10ff00 then
        local text = encoded(point)
        expect(not is_surrogate, text)
        all[text] = not is_surrogate
      end
    end
    for a = 0, 255 do
      for b = 0, 255 do
        local two = string.char(a, b)
        expect(all[two] or (a < 128 and b < 128), two)
        local least = ({ [0xe0] = 0xa0, [0xf0] = 0x90 })[a] or 0x80
        local most = ({ [0xed] = 0x9f, [0xf4] = 0x8f })[a] or 0xbf
        for _, c in ipairs { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff } do
          local begins = b >= least and b <= most and c >= 0x80 and c <= 0xbf
          if a >= 0xe0 and a < 0xf0 then expect(begins, string.char(a, b, c)) end
          if a >= 0xf0 then expect(begins and a <= 0xf4, string.char(a, b, c, 0x80)) end
        end
      end
    end
    assert.same({}, wrong)
  end)

  it("is found wherever the bytes stand", function()
    local r = random.new(1)
    for _ = 1, 5000 do
      local parts, good = {}, true
      for i = 1, r.below(8) do
        local bad = r.chance(20)
        good = good and not bad
        parts[i] = bad and r.pick { "\128", "\255", "\193\129", "\237\160\128", "\244\144\128\128" }
          or r.pick { "a", "\0", "\127", "ü", "€", "😀", ("x"):rep(r.below(20)) }
      end
      local text = table.concat(parts)
      assert.equal(good, valid(text))
      if good and #text > 0 and text:byte(-1) > 127 then assert.is_false(valid(text:sub(1, -2))) end
    end
  end)

  it("of length 0 is valid, and a length is a length", function()
    assert.is_true(C.mp_utf8_is_valid(nil, 0))
    assert.is_true(C.mp_utf8_is_valid("ab\255", 2))
    assert.is_false(C.mp_utf8_is_valid("\0\255", 2))
  end)

  it("has ASCII as a part", function()
    for byte = 0, 255 do
      for _, text in ipairs { string.char(byte), ("a"):rep(9) .. string.char(byte),
        string.char(byte) .. ("a"):rep(9) } do
        assert.equal(byte < 128, C.mp_ascii_is_valid(text, #text))
      end
    end
    assert.is_true(C.mp_ascii_is_valid("", 0))
  end)
end)
