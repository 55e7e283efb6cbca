-- SPDX-License-Identifier: Apache-2.0
-- Compressed bodies (v3, v4) and segments (v5): what goes in comes out, cut anywhere; what lies about itself is refused
-- before memory is taken.
local bytes = require "spec.support.bytes"
local decoding = require "spec.support.decoding"
local ffi = require "ffi"
local random = require "spec.hunt.random"
local C = require "spec.support.c"

local LZ4, SNAPPY = tonumber(C.MP_COMPRESSION_LZ4), tonumber(C.MP_COMPRESSION_SNAPPY)
local MAX = 131071

local function be32(number)
  return string.char(math.floor(number / 16777216) % 256, math.floor(number / 65536) % 256,
    math.floor(number / 256) % 256, number % 256)
end

local function packed(kind, text)
  local buf = bytes.buf()
  assert.equal(0, C.mp_compress_body(kind, text, #text, buf))
  return bytes.content(buf)
end

local function unpacked(kind, text, max)
  local buf = bytes.buf()
  local rc = C.mp_decompress_body(kind, text, #text, max or 16777216, buf)
  return rc == 0 and bytes.content(buf) or nil, rc, tonumber(buf.cap)
end

-- Texts of every nature: empty, repeated, random, half and half.
local function texts(count)
  local r, list = random.new(5), { "", "x", ("ab"):rep(50000), ("\0"):rep(200000) }
  for _ = 1, count do
    local parts = {}
    for _ = 1, 1 + r.below(30) do
      local part = {}
      for j = 1, 1 + r.below(40) do part[j] = string.char(r.below(256)) end
      parts[#parts + 1] = r.chance(2) and table.concat(part) or table.concat(part):rep(1 + r.below(200))
    end
    list[#list + 1] = table.concat(parts)
  end
  return list
end

for name, kind in pairs { lz4 = LZ4, snappy = SNAPPY } do
  describe("a body compressed with " .. name, function()
    it("comes back as it was", function()
      for _, text in ipairs(texts(40)) do assert.equal(text, (unpacked(kind, packed(kind, text)))) end
    end)

    it("may be as large as the limit, to the byte", function()
      for _, size in ipairs { 0, 1, 2, 1000, 100000 } do
        local text = ("ab"):rep(size / 2) .. (size % 2 == 1 and "x" or "")
        assert.equal(text, (unpacked(kind, packed(kind, text), size)))
        if size > 0 then assert.equal(C.MP_ETOOBIG, (select(2, unpacked(kind, packed(kind, text), size - 1)))) end
      end
    end)

    it("is refused when it makes more than the limit, before memory is taken", function()
      local bomb = packed(kind, ("\0"):rep(8000000))
      local _, rc, taken = unpacked(kind, bomb, 1000000)
      assert.equal(C.MP_ETOOBIG, rc)
      assert.equal(0, taken)
    end)

    it("is refused when it claims what so few bytes cannot make", function()
      local claim = kind == LZ4 and be32(250000000) or "\128\229\154\119"
      local _, rc, taken = unpacked(kind, claim .. "\16abcdefgh", 268435456)
      assert.equal(C.MP_EPROTO, rc)
      assert.equal(0, taken)
    end)

    it("is refused or another text when it was changed, cut or drawn out", function()
      local r = random.new(9)
      for _, text in ipairs(texts(20)) do
        local good = packed(kind, text)
        for _ = 1, 40 do
          local at = 1 + r.below(#good)
          local bad = r.pick {
            good:sub(1, at - 1) .. string.char(r.below(256)) .. good:sub(at + 1), good:sub(1, at - 1), good .. "\0",
          }
          local out, rc = unpacked(kind, bad, 1000000)
          assert.is_true(out ~= nil or rc == C.MP_EPROTO or rc == C.MP_ETOOBIG, rc)
        end
      end
      assert.is_nil((unpacked(kind, "", 1000)))
    end)

    it("is read by the decoder where it was agreed on, in pieces of any size", function()
      local body = ("row "):rep(3000)
      local small = packed(kind, body)
      local wire = "\132\1\0\7\8" .. be32(#small) .. small .. "\132\0\0\9\8\0\0\0\5plain"
      for size = 1, 200, 13 do
        local d = decoding.new { compression = kind }
        for at = 1, #wire, size do assert.equal(0, d:feed(wire:sub(at, at + size - 1))) end
        assert.same({ body, "plain" }, { d.envelopes[1].body, d.envelopes[2].body })
        assert.equal(0, d.envelopes[1].flags)
        d:close()
      end
    end)
  end)
end

-- Blocks of LZ4 by hand (lz4_Block_format.md): sequences of literals and a match, the last of literals only.
local function lz4_length(most, n)
  if n < most then return n, "" end
  return most, ("\255"):rep(math.floor((n - most) / 255)) .. string.char((n - most) % 255)
end
local function sequence(literals, distance, match)
  local high, more = lz4_length(15, #literals)
  if not distance then return string.char(high * 16) .. more .. literals end
  local low, rest = lz4_length(15, match - 4)
  return string.char(high * 16 + low) .. more .. literals ..
    string.char(distance % 256, math.floor(distance / 256)) .. rest
end

-- A block, its text, and whether it has the match at distance 0, in its sequence number `zero_at`.
local function random_block(r, zero_at)
  local block, text = {}, ""
  for i = 1, 1 + r.below(12) do
    local literals = {}
    for j = 1, (i == 1 and 1 or 0) + r.pick { r.below(4), r.below(40), r.below(600) } do
      literals[j] = string.char(r.pick { 0, r.below(256) })
    end
    literals = table.concat(literals)
    text = text .. literals
    local distance, match = 1 + r.below(math.min(#text, 65535)), 4 + r.pick { r.below(5), r.below(40), r.below(900) }
    if i == zero_at then distance = 0 end
    block[i] = sequence(literals, distance, match)
    local from = #text - distance
    local repeated = distance > 0 and text:sub(from + 1, from + match) or "?"
    text = text .. repeated:rep(math.ceil(match / #repeated)):sub(1, match)
  end
  local last = ("last"):rep(4 + r.below(100))
  return table.concat(block) .. sequence(last), text .. last, zero_at ~= nil and zero_at <= #block
end

describe("a block of LZ4", function()
  local function unpacked_block(block, size, before)
    local room = bytes.exact(before:rep(size))
    local rc = C.mp_lz4_unpack(bytes.exact(block), #block, room, size)
    return rc == 0 and ffi.string(room, size) or nil, rc
  end

  it("is what its sequences say, whatever the memory held before", function()
    local r = random.new(21)
    for _ = 1, 100 do
      local block, text = random_block(r)
      assert.equal(text, (unpacked_block(block, #text, "\165")))
      assert.equal(text, (unpacked(LZ4, be32(#text) .. block)))
      local size = 1 + r.below(#text)
      local room = bytes.exact(("\90"):rep(size))
      assert.equal(0, C.mp_lz4_peek(bytes.exact(block), #block, room, size))
      assert.equal(text:sub(1, size), ffi.string(room, size))
    end
  end)

  it("is refused with a match at distance 0, which would repeat what stood in the memory", function()
    local r, tried = random.new(22), 0
    repeat
      local block, text, zeroed = random_block(r, 1 + r.below(6))
      if zeroed then
        tried = tried + 1
        for _, size in ipairs { #text - 1, #text, #text + 9 } do
          local out, rc = unpacked_block(block, size, "\165")
          assert.is_nil(out)
          assert.equal(C.MP_EPROTO, rc)
        end
        assert.equal(C.MP_EPROTO, (select(2, unpacked(LZ4, be32(#text) .. block))))
        local room = bytes.exact(("\90"):rep(#text))
        for _, size in ipairs { 1, 9, #text } do
          assert.equal(C.MP_EPROTO, C.mp_lz4_peek(bytes.exact(block), #block, room, size))
        end
      end
    until tried == 60
  end)

  it("is refused when a length runs over its end", function()
    for _, block in ipairs { "\240", "\240\255\255", "\31a\1\0", "\31a\1\0\255\255", "\64abc", "\16a\1" } do
      local out, rc = unpacked_block(block, 100, "\165")
      assert.is_nil(out)
      assert.equal(C.MP_EPROTO, rc)
    end
  end)
end)

describe("a way to compress", function()
  it("has a name, whichever it is", function()
    assert.equal("lz4", ffi.string(C.mp_compression_name(LZ4)))
    assert.equal("?", ffi.string(C.mp_compression_name(77)))
    assert.is_false(C.mp_compression_is_built(77))
    for _, unknown in ipairs { 0, 77 } do
      local buf = bytes.buf()
      assert.equal(C.MP_EUNSUPPORTED, C.mp_compress_body(unknown, "x", 1, buf))
      assert.equal(C.MP_EUNSUPPORTED, C.mp_decompress_body(unknown, "x", 1, 10, buf))
    end
  end)

  it("takes no more than 2 GB at once", function()
    local huge, room = 2 ^ 31, bytes.exact "x"
    assert.equal(0, tonumber(C.mp_lz4_bound(huge)))
    assert.equal(0, tonumber(C.mp_lz4_pack(room, huge, room)))
    assert.equal(C.MP_EPROTO, C.mp_lz4_unpack(room, huge, room, 1))
    assert.equal(C.MP_EPROTO, C.mp_lz4_unpack(room, 1, room, huge))
    assert.equal(C.MP_EPROTO, C.mp_lz4_peek(room, huge, room, 1))
    assert.equal(C.MP_EPROTO, C.mp_lz4_peek(room, 1, room, huge))
  end)
end)

describe("a body of Snappy", function()
  it("is refused with a copy at distance 0", function()
    for _, copy in ipairs { "\1\0", "\2\0\0", "\3\0\0\0\0" } do
      local out, rc = unpacked(SNAPPY, string.char(5 + (copy:byte() == 1 and 4 or 1)) .. "\16hello" .. copy)
      assert.is_nil(out)
      assert.equal(C.MP_EPROTO, rc)
    end
  end)

  -- A copy of `count` bytes, up to 64, from `distance` before; those may overlap.
  local function copy(count, distance)
    return string.char((count - 1) * 4 + 2, distance % 256, math.floor(distance / 256))
  end
  local function size(n)
    local out = ""
    repeat
      local low = n % 128
      n = math.floor(n / 128)
      out = out .. string.char(n > 0 and low + 128 or low)
    until n == 0
    return out
  end

  it("is what its copies say, also where they overlap, and no more than the limit", function()
    for _, case in ipairs { { "\0a", 1, "a" }, { "\8abc", 3, "abc" }, { "\8abc", 1, "c" }, { "\8abc", 2, "bc" } } do
      local literal, distance, unit = case[1]:sub(2), case[2], case[3]
      for _, copies in ipairs { 1, 2, 1000 } do
        local text = literal .. unit:rep(math.ceil(64 * copies / #unit)):sub(1, 64 * copies)
        local body = size(#text) .. case[1] .. copy(64, distance):rep(copies)
        assert.equal(text, (unpacked(SNAPPY, body)))
        assert.equal(C.MP_ETOOBIG, (select(2, unpacked(SNAPPY, body, #text - 1))))
      end
    end
  end)

  it("is refused with a size that is a lie, and with a copy of what was before it", function()
    local made = 4 + 64 * 100
    local rest = "\12abcd" .. copy(64, 4):rep(100)
    assert.is_truthy((unpacked(SNAPPY, size(made) .. rest)))
    for _, body in ipairs {
      size(made - 1) .. rest, size(made + 1) .. rest, size(0) .. rest, size(#rest * 31) .. rest,
      size(#rest * 33 + 33) .. rest, size(2 ^ 32 - 1) .. rest, "\255\255\255\255\255" .. rest,
      size(made) .. rest .. "\0", size(made) .. rest:sub(1, -2), size(68) .. "\12abcd" .. copy(64, 5),
      size(68) .. "\12abcd" .. copy(64, 65535), size(64) .. copy(64, 1),
    } do
      local out, rc = unpacked(SNAPPY, body, 268435456)
      assert.is_nil(out)
      assert.is_true(rc == C.MP_EPROTO or rc == C.MP_ETOOBIG)
    end
  end)
end)

describe("the flag of a compressed body", function()
  it("is an error where nothing was agreed on", function()
    local small = packed(LZ4, "something")
    local d = decoding.new()
    assert.equal(C.MP_EPROTO, d:feed("\132\1\0\7\8" .. be32(#small) .. small))
    assert.matches("no compression was agreed on", ffi.string(d.dec.why))
    d:close()
  end)

  it("keeps the limit of bodies", function()
    local small = packed(LZ4, ("\0"):rep(100000))
    local d = decoding.new { compression = LZ4, max_body = 50000 }
    assert.equal(C.MP_ETOOBIG, d:feed("\132\1\0\7\8" .. be32(#small) .. small))
    assert.matches("more than the limit", ffi.string(d.dec.why))
    d:close()
  end)
end)

describe("compressed segments", function()
  local function envelope(body, stream)
    return "\133\0\0" .. string.char(stream or 1) .. "\8" .. be32(#body) .. body
  end

  local function segments(payload)
    local buf = bytes.buf()
    assert.equal(0, C.mp_segment_append_lz4(buf, payload, #payload))
    return bytes.content(buf)
  end

  it("that each make the most they may are no more than the body that they carry", function()
    local LIMIT = 1000000
    local function feed(announced, sent)
      local d = decoding.new { compression = LZ4, segmented = true, version = 5, max_body = LIMIT }
      local wire, rc = segments("\133\0\0\1\8" .. be32(announced) .. ("\0"):rep(sent)), 0
      assert.is_true(#wire < 9 + sent / 200)
      for at = 1, #wire, 600 do rc = rc == 0 and d:feed(wire:sub(at, at + 599)) or rc end
      local why, count = d:why(), #d.envelopes
      assert.is_true(d.dec.whole.cap <= 2 * LIMIT + 64, tonumber(d.dec.whole.cap))
      assert.is_true(d.dec.inflated.cap <= 2 * MAX, tonumber(d.dec.inflated.cap))
      assert.is_true(d.dec.rest.cap <= 8192, tonumber(d.dec.rest.cap))
      d:close()
      return rc, why, count
    end
    assert.same({ 0, "", 1 }, { feed(LIMIT, LIMIT) })
    assert.same({ 0, "", 0 }, { feed(LIMIT, LIMIT - 1) })
    assert.same({ C.MP_ETOOBIG, "a body of 1000001 bytes is over the limit of 1000000", 0 },
      { feed(LIMIT + 1, 9000000) })
    assert.same({ C.MP_EPROTO, "a segment goes on behind the end of its envelope", 0 }, { feed(LIMIT, 9000000) })
  end)

  it("carry envelopes, small and large, in pieces of any size", function()
    local large = {}
    local r = random.new(3)
    for i = 1, 40000 do large[i] = string.char(r.below(256), r.below(3)) .. "abcdef" end
    large = table.concat(large)
    local wire = segments(envelope("one", 1) .. envelope(("two"):rep(500), 2)) .. segments(envelope(large, 3)) ..
      segments(envelope("x", 4))
    assert.is_true(#wire < #large)
    for _, size in ipairs { 1, 7, 1000, 70000, #wire } do
      local d = decoding.new { compression = LZ4, segmented = true, version = 5 }
      for at = 1, #wire, size do assert.equal(0, d:feed(wire:sub(at, at + size - 1))) end
      assert.equal(4, #d.envelopes)
      assert.equal(large, d.envelopes[3].body)
      assert.equal(("two"):rep(500), d.envelopes[2].body)
      d:close()
    end
  end)

  it("stand as they are where compressing makes them no smaller", function()
    local wire = segments(envelope("one"))
    assert.equal(8 + 12 + 4, #wire)
    assert.equal(12, wire:byte(1))
  end)

  it("that were changed anywhere are refused", function()
    local wire = segments(envelope(("text "):rep(60)))
    for at = 1, #wire do
      local d = decoding.new { compression = LZ4, segmented = true, version = 5 }
      local rc = d:feed(wire:sub(1, at - 1) .. string.char((wire:byte(at) + 1) % 256) .. wire:sub(at + 1))
      assert.equal(0, #d.envelopes)
      -- A length that became larger waits for more, and its checksum has failed before that.
      assert.equal(C.MP_EPROTO, rc)
      d:close()
    end
  end)

  it("that make another length than they say are refused", function()
    local payload = ("y"):rep(1000)
    local room = ffi.new("uint8_t[?]", C.mp_lz4_bound(#payload))
    local len = tonumber(C.mp_lz4_pack(payload, #payload, room))
    local out = ffi.new("uint8_t[?]", MAX)
    assert.equal(0, C.mp_lz4_unpack(room, len, out, 1000))
    for _, size in ipairs { 0, 999, 1001, MAX } do assert.equal(C.MP_EPROTO, C.mp_lz4_unpack(room, len, out, size)) end
  end)
end)

describe("the names of compressions", function()
  it("are those of STARTUP, in any case", function()
    local function find(name)
      return C.mp_compression_find(ffi.new("struct mp_str", ffi.cast("const char *", name), #name))
    end
    assert.same({ LZ4, SNAPPY, 0, -1, -1 }, { find "LZ4", find "snappy", find "none", find "zstd", find "" })
    assert.is_false(C.mp_compression_serves(SNAPPY, 5))
    assert.is_true(C.mp_compression_serves(SNAPPY, 4))
    assert.is_true(C.mp_compression_serves(LZ4, 5))
  end)
end)
