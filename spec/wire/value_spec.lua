-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

-- A [bytes] in memory of exactly its size; the second result keeps it.
local function value(content)
  local memory = bytes.exact(content)
  return ffi.new("struct mp_bytes", memory, #content), memory
end

local null = bytes.value(nil)

local function read(fn, ctype, hex)
  local v, memory = value(bytes.of(hex))
  local out = ffi.new(ctype .. "[1]")
  local rc = C[fn](v, out)
  assert.truthy(memory)
  if rc ~= 0 then return rc end
  return out[0]
end

local function written(fn, ...)
  local buf = bytes.buf()
  local rc = C[fn](buf, ...)
  if rc and rc ~= 0 then return rc end
  return bytes.hex(bytes.content(buf))
end

local function text_of(fn, content)
  local v, memory = value(content)
  local buf = bytes.buf()
  local rc = C[fn](v, buf)
  assert.truthy(memory)
  return rc == 0 and bytes.content(buf) or rc
end

describe("a number of fixed width", function()
  it("is read with its sign", function()
    assert.equal(127, read("mp_value_i8", "int8_t", "7f"))
    assert.equal(-128, read("mp_value_i8", "int8_t", "80"))
    assert.equal(-1, read("mp_value_i8", "int8_t", "ff"))
    assert.equal(32767, read("mp_value_i16", "int16_t", "7fff"))
    assert.equal(-32768, read("mp_value_i16", "int16_t", "8000"))
    assert.equal(2135949312, read("mp_value_i32", "int32_t", "7f500000"))
    assert.equal(-144495, read("mp_value_i32", "int32_t", "fffdcb91"))
    assert.equal(9223372036854775807LL, read("mp_value_i64", "int64_t", "7fffffffffffffff"))
    assert.equal(-9223372036854775807LL - 1, read("mp_value_i64", "int64_t", "8000000000000000"))
  end)

  it("may be a float or a double", function()
    assert.equal(19432.125, read("mp_value_f32", "float", "4697d040"))
    assert.equal(-19432.125, read("mp_value_f64", "double", "c0d2fa0800000000"))
    assert.equal(1.7415152243978685e+308, read("mp_value_f64", "double", "7fef000000000000"))
    local nan = read("mp_value_f64", "double", "7ff8000000000000")
    assert.is_true(nan ~= nan)
    assert.equal(-math.huge, read("mp_value_f32", "float", "ff800000"))
    assert.equal("4697d040", written("mp_write_f32", 19432.125))
    assert.equal("c0d2fa0800000000", written("mp_write_f64", -19432.125))
    assert.equal("8000000000000000", written("mp_write_f64", -0.0))
  end)

  it("may be a boolean or a date", function()
    assert.is_false(read("mp_value_bool", "bool", "00"))
    assert.is_true(read("mp_value_bool", "bool", "01"))
    assert.is_true(read("mp_value_bool", "bool", "80"))
    assert.equal(2147483648, read("mp_value_date", "uint32_t", "80000000"))
    assert.equal(0, read("mp_value_date", "uint32_t", "00000000"))
    assert.equal(4294967295, read("mp_value_date", "uint32_t", "ffffffff"))
  end)

  it("of another width, or null, or empty, is no such number", function()
    local readers = { mp_value_i8 = 1, mp_value_bool = 1, mp_value_i16 = 2, mp_value_i32 = 4, mp_value_f32 = 4,
      mp_value_date = 4, mp_value_i64 = 8, mp_value_f64 = 8 }
    local ctypes = { mp_value_i8 = "int8_t", mp_value_bool = "bool", mp_value_i16 = "int16_t", mp_value_i32 = "int32_t",
      mp_value_f32 = "float", mp_value_date = "uint32_t", mp_value_i64 = "int64_t", mp_value_f64 = "double" }
    for fn, width in pairs(readers) do
      for len = 0, 17 do
        local rc = read(fn, ctypes[fn], ("01"):rep(len))
        if len ~= width then assert.equal(C.MP_ETYPE, rc) end
      end
      assert.equal(C.MP_ETYPE, C[fn](null, ffi.new(ctypes[fn] .. "[1]")))
    end
  end)
end)

describe("an inet", function()
  it("has four bytes or sixteen", function()
    local ip, len = ffi.new "uint8_t[16]", ffi.new "size_t[1]"
    for count = 0, 20 do
      local v, memory = value(("\x41"):rep(count))
      local rc = C.mp_value_inet(v, ip, len)
      assert.truthy(memory)
      if count == 4 or count == 16 then
        assert.equal(0, rc)
        assert.equal(count, tonumber(len[0]))
        assert.equal(("\x41"):rep(count) .. ("\0"):rep(16 - count), ffi.string(ip, 16))
      else
        assert.equal(C.MP_ETYPE, rc)
      end
    end
    assert.equal(C.MP_ETYPE, C.mp_value_inet(null, ip, len))
  end)
end)

describe("a duration", function()
  local MAX64, MIN64 = 9223372036854775807LL, -9223372036854775807LL - 1
  local cases = {
    { "020406", 1, 2, 3LL }, { "010305", -1, -2, -3LL }, { "000000", 0, 0, 0LL },
    { "f0fffffffef0fffffffefffffffffffffffffe", 2147483647, 2147483647, MAX64 },
    { "f0fffffffff0ffffffffffffffffffffffffff", -2147483648, -2147483648, MIN64 },
    -- 128000 is 256000 in zig-zag order, the example of the specification for three bytes.
    { "00c3e80000", 0, 128000, 0LL },
    { "7e7f8080", 63, -64, 64LL }, -- the last numbers of one byte, the first of two
    { "0000" .. "fe80000000000000", 0, 0, 0x40000000000000LL },
    { "0000" .. "ff0100000000000000", 0, 0, 0x80000000000000LL },
  }

  it("is three numbers of varying length", function()
    local m, d, n = ffi.new "int32_t[1]", ffi.new "int32_t[1]", ffi.new "int64_t[1]"
    for _, case in ipairs(cases) do
      assert.equal(case[1], written("mp_write_duration", case[2], case[3], case[4]))
      local v, memory = value(bytes.of(case[1]))
      assert.equal(0, C.mp_value_duration(v, m, d, n))
      assert.truthy(memory)
      assert.same({ case[2], case[3] }, { m[0], d[0] })
      assert.equal(case[4], n[0])
    end
  end)

  it("round trips whatever it is", function()
    local rand = bytes.rand(5)
    local m, d, n = ffi.new "int32_t[1]", ffi.new "int32_t[1]", ffi.new "int64_t[1]"
    for _ = 1, 2000 do
      local months = bit.arshift(bit.tobit(rand(0, 0xfffffffe)), rand(0, 31))
      local days = bit.arshift(bit.tobit(rand(0, 0xfffffffe)), rand(0, 31))
      local nanos = bit.arshift(ffi.cast("int64_t", rand(0, 0xfffffffe)) * 4294967296LL + rand(0, 0xfffffffe),
        rand(0, 63))
      local v, memory = value(bytes.of(written("mp_write_duration", months, days, nanos)))
      assert.equal(0, C.mp_value_duration(v, m, d, n))
      assert.truthy(memory)
      assert.same({ months, days }, { m[0], d[0] })
      assert.equal(nanos, n[0])
    end
  end)

  it("that is cut, too long or over its range is none", function()
    local m, d, n = ffi.new "int32_t[1]", ffi.new "int32_t[1]", ffi.new "int64_t[1]"
    local full = bytes.of(cases[4][1])
    local bad = { full .. "\0", "", bytes.of "f1000000000000", bytes.of "00f100000000" .. "\0",
      bytes.of "ff00000001000000000000", bytes.of "f1000000010000", bytes.of "00f10000000100" }
    for len = 0, #full - 1 do bad[#bad + 1] = full:sub(1, len) end
    for _, content in ipairs(bad) do
      local v, memory = value(content)
      assert.equal(C.MP_ETYPE, C.mp_value_duration(v, m, d, n))
      assert.truthy(memory)
    end
    assert.equal(C.MP_ETYPE, C.mp_value_duration(null, m, d, n))
  end)
end)

describe("a varint", function()
  local cases = {
    { "00", "0" }, { "01", "1" }, { "7f", "127" }, { "0080", "128" }, { "0081", "129" }, { "ff", "-1" },
    { "80", "-128" }, { "ff7f", "-129" }, { "00ff", "255" }, { "0100", "256" }, { "ff00", "-256" },
    { "7fffffff", "2147483647" }, { "0080000000", "2147483648" }, { "80000000", "-2147483648" },
    { "ff7fffffff", "-2147483649" }, { "00ffffffff", "4294967295" }, { "ff00000000", "-4294967296" },
    { "7fffffffffffffff", "9223372036854775807" }, { "008000000000000000", "9223372036854775808" },
    { "8000000000000000", "-9223372036854775808" }, { "ff7fffffffffffffff", "-9223372036854775809" },
    { "0de0b6b3a7640000", "1000000000000000000" }, { "661efdf2e3b19f7c045f15", "123456789123456789123456789" },
    { "00ab54a98ceb1f0ad2", "12345678901234567890" }, { "ff54ab567314e0f52e", "-12345678901234567890" },
  }

  it("is the shortest two's complement", function()
    for _, case in ipairs(cases) do
      assert.equal(case[1], written("mp_write_varint_text", bytes.str(case[2])))
      assert.equal(case[2], text_of("mp_value_varint_text", bytes.of(case[1])))
    end
  end)

  it("is read when it is longer than it need be", function()
    assert.equal("1", text_of("mp_value_varint_text", bytes.of "000000000000000001"))
    assert.equal("-1", text_of("mp_value_varint_text", bytes.of "ffffffffffffffffff"))
    assert.equal("0", text_of("mp_value_varint_text", bytes.of "0000000000"))
  end)

  it("of forty and of thousands of digits round trips", function()
    local rand = bytes.rand(17)
    for _, len in ipairs { 9, 10, 18, 19, 27, 28, 40, 41, 333, 9862 } do
      local digits = { tostring(rand(1, 9)) }
      for i = 2, len do digits[i] = tostring(rand(0, 9)) end
      for _, sign in ipairs { "", "-" } do
        local text = sign .. table.concat(digits)
        local hex = written("mp_write_varint_text", bytes.str(text))
        assert.equal(text, text_of("mp_value_varint_text", bytes.of(hex)))
      end
    end
  end)

  it("of any bytes has the text that gives them again, when they are the shortest", function()
    local rand = bytes.rand(23)
    for _ = 1, 2000 do
      local content = bytes.random_bytes(rand, rand(1, 40))
      local first, second = content:byte(1), content:byte(2)
      local shortest = not second or not (first == 0 and second < 128 or first == 255 and second >= 128)
      local text = text_of("mp_value_varint_text", content)
      local hex = written("mp_write_varint_text", bytes.str(text))
      if shortest then assert.equal(bytes.hex(content), hex) end
      assert.equal(text, text_of("mp_value_varint_text", bytes.of(hex)))
    end
  end)

  it("is written with a sign and leading zeros too", function()
    assert.equal("05", written("mp_write_varint_text", bytes.str "+5"))
    assert.equal("05", written("mp_write_varint_text", bytes.str "0000000000000000000000000005"))
    assert.equal("00", written("mp_write_varint_text", bytes.str "-0"))
    assert.equal("00", written("mp_write_varint_text", bytes.str(("0"):rep(20000))))
  end)

  it("is not made of anything else", function()
    for _, text in ipairs { "", "-", "+", "1.0", "1e5", " 1", "1 ", "0x10", "--1", "1-", "nan", "1\0" } do
      assert.equal(C.MP_ETYPE, written("mp_write_varint_text", bytes.str(text)))
    end
    assert.equal(C.MP_ETYPE, text_of("mp_value_varint_text", ""))
    assert.equal(C.MP_ETYPE, C.mp_value_varint_text(null, bytes.buf()))
  end)

  it("has a limit, so that no value can ask for long work", function()
    assert.equal(C.MP_ETOOBIG, text_of("mp_value_varint_text", ("\127"):rep(4097)))
    assert.equal(9864, #text_of("mp_value_varint_text", ("\127"):rep(4096)))
    assert.equal(9865, #text_of("mp_value_varint_text", "\128" .. ("\0"):rep(4095)))
    assert.equal(C.MP_ETOOBIG, written("mp_write_varint_text", bytes.str(("9"):rep(9864))))
    assert.is_true(#written("mp_write_varint_text", bytes.str(("9"):rep(9863))) <= 2 * 4096)
  end)
end)

describe("a decimal", function()
  local cases = {
    { "0000000000", "0" }, { "0000000200", "0.00" }, { "00000002ff6a", "-1.50" }, { "0000000105", "0.5" },
    { "0000000305", "0.005" }, { "000000017f", "12.7" }, { "fffffffd0f", "15E+3" }, { "fffffffdf1", "-15E+3" },
    { "0000000d0a4a04225e91048ab118fe", "1243878957943.1234124191998" }, { "00000006e5de5d9859", "-112233.441191" },
    { "0000001400face", "0.00000000000000064206" }, { "00000014ff0532", "-0.00000000000000064206" },
    { "ffffff9c00face", "64206E+100" }, { "000007d00f", "15E-2000" }, { "800000000f", "15E+2147483648" },
    { "7fffffff0f", "15E-2147483647" },
  }

  it("keeps its scale in both directions", function()
    for _, case in ipairs(cases) do
      assert.equal(case[2], text_of("mp_value_decimal_text", bytes.of(case[1])))
      assert.equal(case[1], written("mp_write_decimal_text", bytes.str(case[2])))
    end
  end)

  it("is written plainly up to a scale of a thousand", function()
    assert.equal("0." .. ("0"):rep(999) .. "1", text_of("mp_value_decimal_text", bytes.of "000003e801"))
    assert.equal("1E-1001", text_of("mp_value_decimal_text", bytes.of "000003e901"))
  end)

  it("may be written in several ways", function()
    for text, hex in pairs { [".5"] = "0000000105", ["5."] = "0000000005", ["+1.50"] = "000000020096",
      ["1.5e3"] = "fffffffe0f", ["1.5E+3"] = "fffffffe0f", ["1e-7"] = "0000000701", ["-.5e0"] = "00000001fb" } do
      assert.equal(hex, written("mp_write_decimal_text", bytes.str(text)))
    end
  end)

  it("is not made of anything else", function()
    for _, text in ipairs { "", ".", "-", "-.", "1.2.3", "1e", "e5", "1e+", "1ee5", "1e5.0", " 1", "1 ", "abc", "1,5",
      "1e2147483649", "1e-2147483648", "1e99999999999999999999", "0x1p3", "inf" } do
      assert.equal(C.MP_ETYPE, written("mp_write_decimal_text", bytes.str(text)), text)
    end
    for len = 0, 4 do assert.equal(C.MP_ETYPE, text_of("mp_value_decimal_text", ("\0"):rep(len))) end
    assert.equal(C.MP_ETYPE, C.mp_value_decimal_text(null, bytes.buf()))
  end)
end)

describe("a [value]", function()
  it("gets its length when its bytes are there", function()
    local buf = bytes.buf()
    local outer = C.mp_write_value_begin(buf)
    local inner = C.mp_write_value_begin(buf)
    C.mp_buf_text(buf, "ab")
    C.mp_write_value_end(buf, inner)
    C.mp_write_null(buf)
    C.mp_write_unset(buf)
    C.mp_write_value_end(buf, outer)
    assert.equal(bytes.of "0000000e 00000002 'ab' ffffffff fffffffe", bytes.content(buf))
  end)

  it("survives a buffer that could not grow", function()
    local buf = bytes.buf()
    C.mp_mem_fail_at(1, false)
    local begin = C.mp_write_value_begin(buf)
    C.mp_write_value_end(buf, begin)
    C.mp_mem_fail_at(0, false)
    assert.equal(C.MP_ENOMEM, C.mp_buf_status(buf))
  end)

  it("of more than 2 GiB is refused, written in place or copied", function()
    local buf = bytes.buf()
    for _, size in ipairs { 2147483647, 2147483648 } do
      C.mp_buf_clear(buf)
      local begin = C.mp_write_value_begin(buf)
      local len = buf.len
      buf.len = len + size -- as if it were there
      C.mp_write_value_end(buf, begin)
      buf.len = len
      assert.equal(size > 2147483647, buf.failed)
    end
    C.mp_buf_clear(buf)
    C.mp_put_bytes(buf, nil, 2147483648)
    assert.is_true(buf.failed)
    assert.equal(0, tonumber(buf.len))
  end)
end)

describe("a collection", function()
  local function elements(hex)
    local v, memory = value(bytes.of(hex))
    local cursor, count = ffi.new "struct mp_cursor", ffi.new "uint32_t[1]"
    local rc = C.mp_value_elements(v, cursor, count)
    if rc ~= 0 then return rc end
    return count[0], bytes.rest(cursor), memory
  end

  it("is a count and its elements", function()
    assert.equal(0, (elements "00000000"))
    local count, rest = elements "00000002 00000001 'a' ffffffff"
    assert.equal(2, count)
    assert.equal(bytes.of "00000001 'a' ffffffff", rest)
  end)

  it("cannot claim more elements than its bytes can hold", function()
    for _, hex in ipairs { "", "000000", "ffffffff", "00000001", "00000001 000000", "7fffffff 00000000",
      "00000003 00000000 00000000", "80000000 00000000" } do
      assert.equal(C.MP_ETYPE, (elements(hex)))
    end
    local cursor, count = ffi.new "struct mp_cursor", ffi.new "uint32_t[1]"
    assert.equal(C.MP_ETYPE, C.mp_value_elements(null, cursor, count))
  end)
end)
