-- SPDX-License-Identifier: Apache-2.0
-- What the decoder takes, what it refuses, and what that costs. Golden frames in all cuts stand in golden_spec.lua.
local bytes = require "spec.support.bytes"
local decoding = require "spec.support.decoding"
local C = require "spec.support.c"

local MAX = 131071

local function be32(number)
  return string.char(math.floor(number / 16777216) % 256, math.floor(number / 65536) % 256,
    math.floor(number / 256) % 256, number % 256)
end

local function envelope(body, stream)
  return "\x85\0\0" .. string.char(stream or 1) .. "\x08" .. be32(#body) .. body
end

local function segment(payload, contained)
  local header = #payload + (contained == false and 0 or 131072)
  header = string.char(header % 256, math.floor(header / 256) % 256, math.floor(header / 65536))
  local function le(number, count)
    local out = {}
    for i = 1, count do out[i], number = string.char(number % 256), math.floor(number / 256) end
    return table.concat(out)
  end
  return header .. le(C.mp_crc24(header, 3), 3) .. payload .. le(C.mp_crc32_segment(payload, #payload), 4)
end

local function bodies(result)
  local out = {}
  for i, env in ipairs(result.envelopes) do out[i] = env.body end
  return out
end

describe("the decoder", function()
  it("gives whole envelopes where they lie, without memory", function()
    local all = envelope "one" .. envelope "" .. envelope "three"
    local d = decoding.new()
    local before = C.mp_mem_stats().allocs
    local memory_of_the_spec = 1
    assert.equal(0, d:feed(all))
    assert.equal(before + memory_of_the_spec, C.mp_mem_stats().allocs)
    assert.equal(tonumber(d.fed) + #all - 5, tonumber(d.last_body))
    assert.same({ "one", "", "three" }, bodies(d))
    d:close()
  end)

  it("takes no memory for bytes that were only announced", function()
    local d = decoding.new { max_body = 268435456 }
    assert.equal(0, d:feed("\x84\0\0\1\x08" .. be32(250000000) .. ("x"):rep(500)))
    assert.is_true(d.dec.rest.cap <= 1024)
    d:close()
    d = decoding.new { max_body = 268435456, segmented = true }
    assert.equal(0, d:feed(segment("\x85\0\0\1\x08" .. be32(250000000) .. ("x"):rep(500), false)))
    assert.is_true(d.dec.whole.cap <= 1024)
    d:close()
  end)

  it("copies a large envelope once, however small its pieces, and gives its memory back", function()
    for _, segmented in ipairs { false, true } do
      local body = ("0123456789abcdef"):rep(262144) -- 4 MiB
      local all = envelope(body)
      if segmented then
        local parts = {}
        for at = 1, #all, 40000 do parts[#parts + 1] = segment(all:sub(at, at + 39999), false) end
        all = table.concat(parts)
      end
      local d = decoding.new { segmented = segmented }
      local before = C.mp_mem_stats().allocs
      local chunks = 0
      assert.equal(0, d:feed_cut(all, function() chunks = chunks + 1 return 97 end))
      local grown = tonumber(C.mp_mem_stats().allocs - before) - chunks -- the spec allocates each chunk
      assert.is_true(grown < chunks / 30, "grew " .. grown .. " times in " .. chunks .. " chunks")
      assert.equal(1, #d.envelopes)
      assert.is_true(d.envelopes[1].body == body)
      assert.is_true(d.dec.rest.cap <= 1048576 and d.dec.whole.cap <= 1048576)
      d:close()
    end
  end)

  it("refuses a version it does not know and says which it saw", function()
    for _, case in ipairs { { 0x86, 6 }, { 0x82, 2 }, { 0x80, 0 }, { 0xff, 127 }, { 0xc2, 66 } } do
      local result = decoding.every_way(string.char(case[1]) .. "\0\0\1\0" .. be32(0))
      assert.equal(C.MP_EPROTO, result.rc)
      assert.equal(case[2], result.seen)
      assert.matches("protocol version", result.why)
    end
    for hex, seen in pairs { ["42 00 0301 05 00000000"] = 769, ["06 00 7fff 05 00000000"] = 32767,
      ["02 00 01 05 00000000"] = 0 } do
      local result = decoding.every_way(bytes.of(hex), { server = true })
      assert.same({ C.MP_EPROTO, tonumber(hex:sub(1, 2), 16), seen }, { result.rc, result.seen, result.stream })
    end
  end)

  it("tells a stranger by its first byte", function()
    local alert = "\x15\x03\x01\0\2\2\40"
    for _, case in ipairs { { "HTTP/1.1 400 Bad Request\r\n", "HTTP" }, { alert, "TLS" }, { "S", "version 83" } } do
      local result = decoding.every_way(case[1])
      assert.equal(C.MP_EPROTO, result.rc)
      assert.matches(case[2], result.why)
    end
  end)

  it("refuses the other direction, the other's opcodes and opcodes nobody knows", function()
    local function rc(hex, options) return decoding.every_way(bytes.of(hex), options).rc end
    assert.equal(0, rc "84 00 0001 08 00000000")
    assert.equal(C.MP_EPROTO, rc "04 00 0001 08 00000000")
    assert.equal(C.MP_EPROTO, rc "84 00 0001 07 00000000")
    assert.equal(C.MP_EPROTO, rc "84 00 0001 04 00000000")
    assert.equal(C.MP_EPROTO, rc "84 00 0001 11 00000000")
    assert.equal(0, rc("04 00 0001 07 00000000", { server = true }))
    assert.equal(C.MP_EPROTO, rc("84 00 0001 07 00000000", { server = true }))
    assert.equal(C.MP_EPROTO, rc("04 00 0001 08 00000000", { server = true }))
  end)

  it("says what came instead, and what that may be", function()
    for hex, why in pairs {
      ["48"] = "unsupported protocol version 72 (first byte 0x48); an HTTP server?",
      ["15"] = "unsupported protocol version 21 (first byte 0x15); a TLS port?",
      ["16"] = "unsupported protocol version 22 (first byte 0x16); a TLS port?",
      ["86"] = "unsupported protocol version 6 (first byte 0x86)",
      ["04"] = "a request came where a response belongs (first byte 0x04)",
      ["84 00 0001 07 00000000"] = "unexpected opcode 0x07 (QUERY)",
      ["84 00 0001 11 00000000"] = "unexpected opcode 0x11 (?)",
      ["84 00 0001 08 00000011"] = "a body of 17 bytes is over the limit of 16",
    } do
      assert.equal(why, decoding.every_way(bytes.of(hex), { max_body = 16 }).why)
    end
    for hex, why in pairs {
      ["85"] = "protocol version 5 instead of 4 (first byte 0x85)",
      ["48"] = "protocol version 72 instead of 4 (first byte 0x48); an HTTP server?",
    } do
      assert.equal(why, decoding.every_way(bytes.of(hex), { version = 4 }).why)
    end
    assert.equal("a response came where a request belongs (first byte 0x84)",
      decoding.every_way(bytes.of "84 00 0001 08 00000000", { server = true }).why)
  end)

  it("holds a connection to its version", function()
    local mixed = bytes.of "84 00 0001 02 00000000 83 00 0001 02 00000000"
    assert.equal(0, decoding.every_way(mixed).rc)
    local result = decoding.every_way(mixed, { version = 4 })
    assert.same({ C.MP_EPROTO, 3, 1 }, { result.rc, result.seen, #result.envelopes })
  end)

  it("refuses a body over the limit as soon as its header is there", function()
    for _, len in ipairs { "00000011", "7fffffff", "80000000", "ffffffff" } do
      local result = decoding.every_way(bytes.of("84 00 0001 08 " .. len), { max_body = 16 })
      assert.equal(C.MP_ETOOBIG, result.rc)
      assert.matches("16", result.why)
    end
    assert.equal(0, decoding.every_way(bytes.of "84 00 0001 08 00000010", { max_body = 16 }).rc)
  end)

  it("hands the stream id on as it is", function()
    local streams = {}
    for i, env in ipairs(decoding.run(bytes.of [[84 00 0000 08 00000000 84 00 7fff 08 00000000 84 00 ffff 0c 00000000
      84 00 8000 08 00000000]]).envelopes) do streams[i] = env.stream end
    assert.same({ 0, 32767, -1, -32768 }, streams)
  end)

  it("takes nothing more after an error", function()
    local d = decoding.new()
    assert.equal(C.MP_EPROTO, d:feed("\x84\0\0\1\x08" .. be32(0) .. "X"))
    assert.equal(C.MP_EPROTO, d:feed(envelope "fine"))
    assert.equal(1, #d.envelopes)
    d:close()
  end)

  it("stops where its caller says, and stays stopped", function()
    for _, options in ipairs { {}, { segmented = true } } do
      options.on_envelope = function(self) return #self.envelopes == 2 and 77 or 0 end
      local all = envelope "a" .. envelope "b" .. envelope "c"
      if options.segmented then all = segment(all) end
      for chunk = 1, #all do
        local d = decoding.new(options)
        assert.equal(77, d:feed_cut(all, function() return chunk end))
        assert.same({ "a", "b" }, bodies(d))
        assert.equal(C.MP_ECLOSED, d:feed(envelope "d"))
        d:close()
      end
    end
  end)

  it("reports a lack of memory", function()
    local d = decoding.new()
    local memory = bytes.exact("\x84\0\0")
    C.mp_mem_fail_at(1, false)
    assert.equal(C.MP_ENOMEM, C.mp_decoder_feed(d.dec, memory, 3, d.callback, nil))
    C.mp_mem_fail_at(0, false)
    assert.equal(C.MP_ENOMEM, d:feed "\0")
    d:close()
  end)
end)

describe("the switch to segments", function()
  local function switching()
    return { on_envelope = function(self) C.mp_decoder_use_segments(self.dec) return 0 end }
  end

  it("happens behind the envelope that asked for it, in all cuts", function()
    local ready = bytes.of "85 00 0001 02 00000000"
    local result = decoding.every_way(ready .. segment(envelope "a" .. envelope "b") .. segment(envelope "c"),
      switching(), 20)
    assert.equal(0, result.rc)
    assert.same({ "", "a", "b", "c" }, bodies(result))
  end)

  it("is missed by a peer that goes on with bare envelopes: that is a CRC error", function()
    local result = decoding.every_way(bytes.of "85 00 0001 02 00000000" .. envelope "a", switching())
    assert.equal(C.MP_EPROTO, result.rc)
    assert.matches("CRC24", result.why)
    assert.equal(1, #result.envelopes)
  end)
end)

describe("a stream of segments", function()
  local function run(all, rounds, options)
    options = options or {}
    options.segmented = true
    return decoding.every_way(all, options, rounds)
  end

  it("may hold many envelopes in one segment and many segments", function()
    local result = run(segment(envelope "a") .. segment("") .. segment(envelope "b" .. envelope "" .. envelope "c"), 20)
    assert.same({ 0, { "a", "b", "", "c" } }, { result.rc, bodies(result) })
  end)

  it("puts a large envelope together from segments of any size, its header cut too", function()
    local body = ("0123456789"):rep(30000)
    local all = envelope(body)
    for _, sizes in ipairs { { MAX }, { 4, MAX }, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, MAX }, { 100000 } } do
      local parts, at, i = { segment(envelope "before") }, 1, 1
      while at <= #all do
        local size = sizes[math.min(i, #sizes)]
        parts[#parts + 1], at, i = segment(all:sub(at, at + size - 1), false), at + size, i + 1
      end
      parts[#parts + 1] = segment(envelope "after")
      local rand = bytes.rand(9)
      for _, cut in ipairs { function() return 1000000 end, function() return rand(1, 70000) end } do
        local result = decoding.run(table.concat(parts), { segmented = true }, cut)
        assert.equal(0, result.rc)
        assert.equal(3, #result.envelopes)
        assert.is_true(result.envelopes[2].body == body)
      end
    end
  end)

  it("ends with any bit of a header or payload turned over", function()
    local all = segment(envelope "payload")
    for at = 1, #all do
      for turned = 0, 7 do
        local damaged = all:sub(1, at - 1) .. string.char(bit.bxor(all:byte(at), bit.lshift(1, turned))) ..
          all:sub(at + 1)
        local result = decoding.run(damaged, { segmented = true })
        assert.equal(C.MP_EPROTO, result.rc)
        assert.matches(at <= 6 and "CRC24" or "CRC32", result.why)
        assert.equal(0, #result.envelopes)
      end
    end
  end)

  it("says which sums do not agree", function()
    local all = segment(envelope "payload")
    local function number(from, to)
      local out = {}
      for at = to, from, -1 do out[#out + 1] = ("%02x"):format(all:byte(at)) end
      return table.concat(out)
    end
    local right24, right32 = number(4, 6), number(#all - 3, #all)
    local length = #all - 10
    local damaged = all:sub(1, 3) .. "\1\2\3" .. all:sub(7)
    local header = bytes.hex(all:sub(1, 3)):gsub(" ", "")
    assert.equal(("segment header %s: CRC24 030201 instead of %s"):format(header, right24),
      decoding.run(damaged, { segmented = true }).why)
    damaged = all:sub(1, -5) .. "\1\2\3\4"
    assert.equal(("segment of %d bytes: CRC32 04030201 instead of %s"):format(length, right32),
      decoding.run(damaged, { segmented = true }).why)
  end)

  it("refuses a self-contained segment that cuts an envelope", function()
    local whole = envelope "body"
    for len = 1, #whole - 1 do
      local result = run(segment(envelope "fine" .. whole:sub(1, len)), 1)
      assert.same({ C.MP_EPROTO, { "fine" } }, { result.rc, bodies(result) })
      assert.matches("self%-contained", result.why)
    end
  end)

  it("refuses a self-contained segment before a large envelope is whole", function()
    local result = run(segment(envelope(("x"):rep(20)):sub(1, 15), false) .. segment(envelope "y"))
    assert.equal(C.MP_EPROTO, result.rc)
    assert.matches("inside of a larger envelope", result.why)
  end)

  it("refuses a part that goes on behind the end of its envelope", function()
    local result = run(segment(envelope "abc":sub(1, 10), false) .. segment("bcd", false))
    assert.equal(C.MP_EPROTO, result.rc)
    assert.matches("behind the end", result.why)
    assert.equal(C.MP_EPROTO, run(segment(envelope "abc" .. "d", false)).rc)
  end)

  it("refuses a large envelope over the limit with its first part", function()
    local result = run(segment("\x85\0\0\1\x08" .. be32(200000), false), 4, { max_body = 199999 })
    assert.equal(C.MP_ETOOBIG, result.rc)
  end)

  it("checks envelopes inside of it like bare ones", function()
    for _, hex in ipairs { "05 00 0001 08 00000000", "84 00 0001 08 00000000", "85 00 0001 07 00000000" } do
      assert.equal(C.MP_EPROTO, run(segment(bytes.of(hex)), 2, { version = 5 }).rc)
      assert.equal(C.MP_EPROTO, run(segment(bytes.of(hex), false), 2, { version = 5 }).rc)
    end
  end)
end)
