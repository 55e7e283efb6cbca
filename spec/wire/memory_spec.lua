-- SPDX-License-Identifier: Apache-2.0
-- Memory that ends while something is written or read, at whatever place: what is written is whole or marked as failed,
-- and never longer than its memory; what is read is whole, or refused for lack of memory with nothing left.
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local golden = require "spec.wire.golden"
local C = require "spec.support.c"

local arena = bytes.arena() -- of types, which live as long as this file

-- ---- writing ----------------------------------------------------------------------------------------------

-- A buffer that has so much room.
local function small_buf(room)
  local buf = bytes.buf()
  assert(C.mp_buf_reserve(buf, room + 1) ~= nil)
  buf.cap = room
  return buf
end

-- What fn(...) gives while the n-th allocation, and all behind it, fail.
local function starving(nth, fn, ...)
  C.mp_mem_fail_at(nth, true)
  local ok, rc = pcall(fn, ...)
  C.mp_mem_fail_at(0, false)
  assert(ok, rc)
  return rc
end

-- `write(buf)` with room for everything, and then with every room that is too small, which does not grow. It may
-- return MP_ENOMEM; what it takes memory for beside the buffer, it gets.
local function writes(name, write)
  it(name, function()
    local whole = small_buf(1e6)
    local others = bytes.memory_of(function() write(whole) end)
    local len = tonumber(whole.len)
    assert.is_true(len > 0 and not whole.failed)
    for room = 0, len - 1, math.max(1, math.floor(len / 40)) do
      local buf = small_buf(room)
      local rc = starving(others + 1, write, buf)
      assert.is_true(buf.failed or rc == C.MP_ENOMEM, room)
      assert.is_true(buf.len <= room)
    end
  end)
end

describe("what is written without memory is not written:", function()
  for _, frame in ipairs(golden) do
    if frame.encode then writes(frame.name, function(buf) frame.encode(buf, frame.version) end) end
  end

  local function type_of(cql) return C.mp_type_parse(bytes.str(cql), arena) end
  local user = bytes.of "0030 0002 'ks' 0001 'u' 0002 0001 'a' 0020 0009 0001 'B' 0031 0002 000d 000c"
  local types = { type_of "map<int, frozen<list<text>>>", type_of "vector<frozen<tuple<int, text>>, 3>",
    type_of "'a.b.C'", type_of "duration", C.mp_type_read(C.mp_cursor_on(user, #user), arena, ffi.new "int[1]") }
  for i, type in ipairs(types) do
    for _, version in ipairs { 3, 5 } do
      writes(("type %d in v%d"):format(i, version), function(buf) C.mp_type_write(buf, type, version) end)
    end
    writes(("type %d as text"):format(i), function(buf) C.mp_type_format(buf, type) end)
    writes(("type %d as a class"):format(i), function(buf) C.mp_type_format_class(buf, type) end)
  end

  writes("a value that is a number without a width", function(buf)
    return C.mp_write_varint_text(buf, bytes.str(("123456789"):rep(20)))
  end)
  writes("a decimal", function(buf) return C.mp_write_decimal_text(buf, bytes.str("-1234567890123456789.5e-7")) end)
  writes("the text of a number without a width", function(buf)
    return C.mp_value_varint_text(bytes.value(("\127"):rep(100)), buf)
  end)
  writes("the text of a decimal", function(buf) return C.mp_value_decimal_text(bytes.value "\0\0\0\5\255\7\8", buf) end)
  writes("a duration", function(buf) C.mp_write_duration(buf, -5, 2147483647, -1234567890123LL) end)
  writes("a scalar", function(buf)
    assert(C.mp_scalar_put_text(buf, C.MP_TYPE_VARCHAR, bytes.str "moonpool") == nil)
  end)
  writes("a segment", function(buf)
    local begin = C.mp_segment_begin(buf)
    C.mp_buf_text(buf, ("payload "):rep(20))
    C.mp_segment_end(buf, begin)
  end)

  it("a body, and a segment, that are compressed", function()
    local text = ("row "):rep(2000)
    for _, kind in ipairs { C.MP_COMPRESSION_LZ4, C.MP_COMPRESSION_SNAPPY } do
      local packed = bytes.buf()
      assert.equal(0, C.mp_compress_body(kind, text, #text, packed))
      local buf = bytes.buf()
      assert.equal(C.MP_ENOMEM, starving(1, C.mp_compress_body, kind, text, #text, buf))
      assert.equal(C.MP_ENOMEM, starving(1, C.mp_decompress_body, kind, packed.data, packed.len, 100000, buf))
      assert.equal(0, tonumber(buf.len))
    end
    assert.equal(C.MP_ENOMEM, starving(1, C.mp_segment_append_lz4, bytes.buf(), text, #text))
  end)
end)

-- ---- reading ----------------------------------------------------------------------------------------------

local seen -- bytes of bodies

-- Every allocation fails in turn: `read()` gives 0 in the end, before that MP_ENOMEM, and leaves nothing.
local function reads(read)
  collectgarbage() -- no finalizer gives back in between what others took
  collectgarbage "stop"
  finally(function() collectgarbage "restart" end)
  for nth = 1, 200 do
    local before = C.mp_mem_stats()
    local rc = starving(nth, read)
    local after = C.mp_mem_stats()
    if rc == 0 then return nth end
    assert.equal(C.MP_ENOMEM, rc)
    assert.is_true(after.allocs - before.allocs == after.frees - before.frees, nth)
  end
  error "it never ends"
end

describe("what is read without memory is not read:", function()
  -- Longer than a piece of an arena, so that each of them is one more allocation.
  local function long(letter) return ("1770 '%s' "):format(letter:rep(0x1770)) end
  local k, t, c, u, f = long "k", long "t", long "c", long "u", long "f"
  local class = "0000 2710 '" .. ("C"):rep(0x2710) .. "' "
  local marshal = "org.apache.cassandra.db.marshal."
  local known = ("%sUserType(ks,61,62:%sListType(%sInt32Type))"):format(marshal, marshal, marshal)
  known = ("0000 %04x '%s' "):format(#known, known)
  local bodies = {
    ["rows of one table"] = "00000002 00000001 00000002 " .. k .. t .. c .. "0009 " .. u ..
      "0021 000d 0022 000c 00000000",
    ["rows of two tables"] = "00000002 00000000 00000002 " .. k .. t .. c .. "0009 " .. k .. u .. f .. class ..
      "00000000",
    ["rows of users' types"] = "00000002 00000001 00000002 " .. k .. t .. c .. "0030 " .. k .. u .. "0002 " .. f ..
      "0020 0009 " .. c .. "0031 0002 000d 0003 " .. t .. known .. "00000000",
    ["a prepared statement"] = "00000004 0002 abcd 00000001 00000002 00000002 0001 0000 " .. k .. t .. c .. "0009 " ..
      f .. "000d 00000001 00000001 " .. k .. t .. u .. "0003",
  }
  for name, hex in pairs(bodies) do
    it(name, function()
      local body = bytes.of(hex)
      local most = reads(function()
        local result = ffi.new "struct mp_result_body"
        local rc = C.mp_decode_result(C.mp_cursor_on(body, #body), 4, result)
        C.mp_result_drop(result)
        return rc
      end)
      assert.is_true(most > 5, most)
    end)
  end

  it("the text of a type", function()
    for _, cql in ipairs { "map<int, frozen<tuple<text, list<blob>, vector<float, 3>>>>",
      "'" .. ("C"):rep(9000) .. "'" } do
      reads(function()
        local own = ffi.new "struct mp_arena"
        C.mp_arena_init(own)
        local type = C.mp_type_parse(bytes.str(cql), own)
        C.mp_arena_deinit(own)
        return type == nil and C.MP_ENOMEM or 0
      end)
    end
  end)

  -- Of one arena each allocation fails in turn (where sanitizers see each object alone); another one has room for so
  -- much, and gets no more.
  it("a type, wherever its memory ends", function()
    local user = "0030 0002 'ks' 0001 'u' 0002 0001 'a' 0020 0009 0001 'b' 0031 0002 000d 0000 0007 'a.b.Foo' "
    local name = ("$MapType($UTF8Type,$VectorType($UserType(ks,61,62:$TupleType($Int32Type,a.Foo),63:$ListType(" ..
      "$FrozenType($SetType($BytesType)))),2))"):gsub("%$", marshal)
    for _, content in ipairs { bytes.of(user), bytes.of(("0000 %04x '%s'"):format(#name, name)) } do
      local refused, whole = 0, 0
      local function try(room, nth)
        local own, err = bytes.arena(), ffi.new "int[1]"
        assert.equal(0, C.mp_arena_reserve(own, room))
        local type = starving(nth, C.mp_type_read, C.mp_cursor_on(content, #content), own, err)
        if type == nil then
          assert.equal(C.MP_ENOMEM, err[0])
          refused = refused + 1
        else
          whole = whole + 1
        end
      end
      for nth = 1, 60 do try(0, nth) end
      for room = 0, 1600, 8 do try(room, 1) end
      assert.is_true(refused > 10 and whole > 10, refused .. " " .. whole)
    end
  end)

  -- Bare, compressed, in segments, in compressed segments, one envelope in several of them; in pieces of any size.
  local on_envelope = ffi.cast("int (*)(void *, const struct mp_envelope *)", function(_, envelope)
    seen = seen + envelope.body_len
    return 0
  end)
  local function fed(memory, len, size, options)
    local dec = ffi.new "struct mp_decoder"
    C.mp_decoder_init(dec, true, 16777216)
    if options.segmented then C.mp_decoder_use_segments(dec) end
    if options.compression then C.mp_decoder_use_compression(dec, options.compression) end
    local rc = 0
    for at = 0, len - 1, size do
      rc = C.mp_decoder_feed(dec, memory + at, math.min(size, len - at), on_envelope, nil)
      if rc ~= 0 then break end
      C.mp_decoder_pending(dec)
    end
    C.mp_decoder_deinit(dec)
    return rc
  end

  local function envelope(version, flags, text)
    local len = #text
    return string.char(0x80 + version, flags, 0, 7, 8, 0, math.floor(len / 65536), math.floor(len / 256) % 256,
      len % 256) .. text
  end
  local function segments(text, lz4)
    local buf = bytes.buf()
    if lz4 then
      assert(C.mp_segment_append_lz4(buf, text, #text) == 0)
    else
      local begin = C.mp_segment_begin(buf)
      C.mp_buf_bytes(buf, text, #text)
      C.mp_segment_end(buf, begin)
    end
    return bytes.content(buf)
  end

  for _, length in ipairs { 600, 140000 } do
    local r = {}
    for i = 1, length / 4 do r[i] = ("%04d"):format(i * 7919 % 9973) end
    local body = table.concat(r)
    local packed = bytes.buf()
    assert(C.mp_compress_body(C.MP_COMPRESSION_LZ4, body, #body, packed) == 0)
    local wires = {
      envelope = { envelope(4, 0, body), {} },
      ["compressed envelope"] = { envelope(4, 1, bytes.content(packed)), { compression = C.MP_COMPRESSION_LZ4 } },
      ["envelope in segments"] = { segments(envelope(5, 0, body)), { segmented = true } },
      ["envelope in compressed segments"] = { segments(envelope(5, 0, body), true),
        { segmented = true, compression = C.MP_COMPRESSION_LZ4 } },
    }
    for name, wire in pairs(wires) do
      it(("an %s, of %d bytes"):format(name, length), function()
        local memory = bytes.exact(wire[1])
        for _, size in ipairs { #wire[1], length < 1000 and 1 or 1009, math.ceil(#wire[1] / 2), 5, 13 } do
          if #wire[1] / size < 3000 then
            reads(function()
              seen = 0
              return fed(memory, #wire[1], size, wire[2])
            end)
            assert.equal(length, seen)
          end
        end
      end)
    end
  end
  teardown(function() on_envelope:free() end)
end)
