-- SPDX-License-Identifier: Apache-2.0
-- The edges of every type: the last value that fits, and the first that does not.
local ffi = require "ffi"
local C = require "spec.support.c"

local buf = ffi.new "struct mp_buf[1]"

-- The bytes behind the length, or nil and why not.
local function put(fn, ...)
  C.mp_buf_clear(buf)
  local why = fn(buf, ...)
  local bytes = ffi.string(buf[0].data, buf[0].len)
  if why ~= nil then
    assert.equal(0, #bytes, "something was left behind")
    return nil, ffi.string(why)
  end
  local length = bytes:byte(1) * 2 ^ 24 + bytes:byte(2) * 65536 + bytes:byte(3) * 256 + bytes:byte(4)
  assert.equal(#bytes - 4, length)
  return bytes:sub(5)
end

local function text(kind, value) return put(C.mp_scalar_put_text, kind, { data = value, len = #value }) end

describe("a scalar", function()
  setup(function() C.mp_buf_init(buf) end)
  teardown(function() C.mp_buf_deinit(buf) end)

  it("of more than 2 GiB is refused before it is looked at", function()
    for _, kind in ipairs { C.MP_TYPE_VARCHAR, C.MP_TYPE_BLOB, C.MP_TYPE_ASCII } do
      local bytes, why = put(C.mp_scalar_put_text, kind, { data = nil, len = 2147483648 })
      assert.is_nil(bytes)
      assert.matches("2 GiB", why)
    end
  end)

  for name, range in pairs {
    TINYINT = { -128LL, 127LL, 1 }, SMALLINT = { -32768LL, 32767LL, 2 }, INT = { -2147483648LL, 2147483647LL, 4 },
    TIME = { 0LL, 86399999999999LL, 8 },
  } do
    it("of " .. name .. " ends where its type does", function()
      local kind = C["MP_TYPE_" .. name]
      for _, edge in ipairs { range[1], range[2] } do
        local bytes = assert(put(C.mp_scalar_put_whole, kind, edge))
        assert.equal(range[3], #bytes)
      end
      for _, beyond in ipairs { range[1] - 1, range[2] + 1, -9223372036854775807LL - 1, 9223372036854775807LL } do
        local bytes, why = put(C.mp_scalar_put_whole, kind, beyond)
        assert.is_nil(bytes)
        assert.matches("out of range", why)
      end
    end)
  end

  it("of 64 bits takes them all", function()
    for _, name in ipairs { "BIGINT", "COUNTER", "TIMESTAMP" } do
      for _, value in ipairs { 0LL, -1LL, 9223372036854775807LL, -9223372036854775807LL - 1 } do
        assert.equal(8, #assert(put(C.mp_scalar_put_whole, C["MP_TYPE_" .. name], value)))
      end
    end
  end)

  it("that is no whole number has no type of whole numbers", function()
    for kind = 0, 0x40 do
      local bytes = put(C.mp_scalar_put_whole, kind, 1LL)
      local takes = { [2] = 8, [5] = 8, [6] = 5, [9] = 4, [11] = 8, [14] = 1, [18] = 8, [19] = 2, [20] = 1 }
      assert.equal(takes[kind], bytes and #bytes, kind)
    end
    assert.is_nil((put(C.mp_scalar_put_whole, 65535, 1LL)))
  end)

  it("of float neither overflows nor vanishes", function()
    for _, value in ipairs { 0, -0.0, 1e-45, -3.4028234663852886e38, 1 / 0, 0 / 0, 0.1 } do
      assert.equal(4, #assert(put(C.mp_scalar_put_real, C.MP_TYPE_FLOAT, value)))
      assert.equal(8, #assert(put(C.mp_scalar_put_real, C.MP_TYPE_DOUBLE, value)))
    end
    for _, value in ipairs { 3.4028234663852889e38, -1e300, 1e-46, -5e-324 } do
      assert.is_nil((put(C.mp_scalar_put_real, C.MP_TYPE_FLOAT, value)))
      assert.equal(8, #assert(put(C.mp_scalar_put_real, C.MP_TYPE_DOUBLE, value)))
    end
    assert.is_nil((put(C.mp_scalar_put_real, C.MP_TYPE_DECIMAL, 1)))
    assert.is_nil((put(C.mp_scalar_put_boolean, C.MP_TYPE_TINYINT, true)))
    assert.truthy((put(C.mp_scalar_put_boolean, C.MP_TYPE_BOOLEAN, true)))
  end)

  it("of duration has three parts of one sign, two of them of 32 bits", function()
    assert.truthy((put(C.mp_scalar_put_duration, -2147483648LL, -2147483648LL, -9223372036854775807LL - 1)))
    assert.truthy((put(C.mp_scalar_put_duration, 2147483647LL, 0, 9223372036854775807LL)))
    for _, parts in ipairs { { 2147483648LL, 0, 0 }, { 0, -2147483649LL, 0 }, { -2147483649LL, 0, 0 },
      { 0, 2147483648LL, 0 }, { 1, -1, 0 }, { 0, 1, -1 }, { -1, 0, 1 } } do
      assert.is_nil((put(C.mp_scalar_put_duration, unpack(parts))))
    end
  end)

  it("of text is what its type calls text", function()
    assert.equal("gr\195\188\195\159e\0", (text(C.MP_TYPE_VARCHAR, "gr\195\188\195\159e\0")))
    for _, wrong in ipairs { "\255", "a\192\128", "\237\160\128", "\244\144\128\128", "\195" } do
      local bytes, why = text(C.MP_TYPE_VARCHAR, wrong)
      assert.is_nil(bytes)
      assert.equal("a string that is not UTF-8", why)
      assert.equal(wrong, (text(C.MP_TYPE_BLOB, wrong)))
      assert.is_nil((text(C.MP_TYPE_ASCII, wrong)))
    end
    assert.equal("", (text(C.MP_TYPE_VARCHAR, "")))
    assert.equal("\127\0", (text(C.MP_TYPE_ASCII, "\127\0")))
    assert.is_nil((text(C.MP_TYPE_ASCII, "\195\188")))
    assert.is_nil((text(C.MP_TYPE_INT, "1")))
  end)

  it("of inet, date, varint, decimal and uuid is all of its text", function()
    for kind, good in pairs {
      [C.MP_TYPE_INET] = "1.2.3.4", [C.MP_TYPE_DATE] = "2024-02-29", [C.MP_TYPE_VARINT] = "12",
        [C.MP_TYPE_DECIMAL] = "1.5",
      [C.MP_TYPE_UUID] = "550e8400-e29b-41d4-a716-446655440000",
      [C.MP_TYPE_TIMEUUID] = "550e8400-e29b-11d4-a716-446655440000",
    } do
      assert.truthy((text(kind, good)))
      for _, wrong in ipairs { "", good .. "\0", good .. "\0junk", "\0" .. good, good .. " ", " " .. good,
        good .. "x" } do
        assert.is_nil((text(kind, wrong)), wrong)
      end
    end
    assert.is_nil((text(C.MP_TYPE_INET, "fe80::1%lo")))
    assert.is_nil((text(C.MP_TYPE_INET, ("1"):rep(100))))
    local _, why = text(C.MP_TYPE_VARINT, ("9"):rep(9864))
    assert.equal("a number of more than 9863 digits", why)
    assert.equal(4096, #assert(text(C.MP_TYPE_VARINT, "-" .. ("9"):rep(9863))))
  end)

  it("of timeuuid has the version that has a time", function()
    for version = 0, 15 do
      local uuid = ffi.new "uint8_t[16]"
      uuid[6] = version * 16 + 5
      assert.equal(version == 1, (put(C.mp_scalar_put_uuid, C.MP_TYPE_TIMEUUID, uuid)) ~= nil)
      assert.truthy((put(C.mp_scalar_put_uuid, C.MP_TYPE_UUID, uuid)))
      assert.is_nil((put(C.mp_scalar_put_uuid, C.MP_TYPE_BLOB, uuid)))
    end
  end)
end)
