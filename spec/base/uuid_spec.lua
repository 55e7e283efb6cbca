-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

local function format(uuid)
  local text = ffi.new "char[37]"
  C.mp_uuid_format(uuid, text)
  return ffi.string(text)
end

local function parse(text)
  local uuid = ffi.new "struct mp_uuid"
  local memory = bytes.exact(text)
  local rc = C.mp_uuid_parse(ffi.cast("const char *", memory), #text, uuid)
  return rc == 0 and uuid or rc
end

describe("a UUID", function()
  it("is its text", function()
    for _, text in ipairs { "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
      "01234567-89ab-cdef-0123-456789abcdef" } do
      assert.equal(text, format(parse(text)))
      assert.equal(text, format(parse(text:upper())))
    end
    assert.equal(bytes.of "0123456789abcdef0123456789abcdef",
      ffi.string(parse("01234567-89ab-cdef-0123-456789abcdef").bytes, 16))
  end)

  it("is not made of anything else", function()
    local good = "01234567-89ab-cdef-0123-456789abcdef"
    for at = 1, #good do
      assert.equal(C.MP_EINVAL, parse(good:sub(1, at - 1) .. "g" .. good:sub(at + 1)))
      assert.equal(C.MP_EINVAL, parse(good:sub(1, at - 1)))
    end
    for _, text in ipairs { "", good .. "0", "{" .. good .. "}", "0123456789abcdef0123456789abcdef",
      "0123456-789ab-cdef-0123-456789abcdef" } do
      assert.equal(C.MP_EINVAL, parse(text))
    end
  end)

  it("is compared by its bytes", function()
    local a, b = parse "01234567-89ab-cdef-0123-456789abcdef", parse "01234567-89ab-cdef-0123-456789abcdee"
    assert.is_true(C.mp_uuid_eq(a, a))
    assert.is_false(C.mp_uuid_eq(a, b))
    assert.is_false(C.mp_uuid_is_nil(b))
    assert.is_true(C.mp_uuid_is_nil(ffi.new "struct mp_uuid"))
  end)

  it("of version 4 is random but for its version and variant", function()
    local rand, uuid, seen = ffi.new "struct mp_rand", ffi.new "struct mp_uuid", {}
    C.mp_rand_seed(rand, 1)
    for _ = 1, 200 do
      C.mp_uuid_v4(rand, uuid)
      local text = format(uuid)
      assert.matches("^%x+%-%x+%-4%x%x%x%-[89ab]%x%x%x%-%x+$", text)
      assert.is_nil(seen[text])
      seen[text] = true
    end
  end)

  it("of version 1 is the one of RFC 9562's appendix", function()
    -- 2022-02-22 14:22:22 at UTC-5, clock sequence 0x33c8, node 9f6bdeced846
    local uuid = ffi.new "struct mp_uuid"
    C.mp_uuid_v1(16455577420000000ULL, 0x33c8, bytes.of "9f6bdeced846", uuid)
    assert.equal("c232ab00-9414-11ec-b3c8-9f6bdeced846", format(uuid))
    assert.is_true(C.mp_uuid_v1_unix_100ns(uuid) == 16455577420000000ULL)
  end)

  it("of version 1 keeps its time", function()
    local uuid = ffi.new "struct mp_uuid"
    for _, time in ipairs { 0ULL, 1ULL, 16455577420000001ULL, 900000000000000000ULL } do
      C.mp_uuid_v1(time, 0xffff, "abcdef", uuid)
      assert.is_true(C.mp_uuid_v1_unix_100ns(uuid) == time)
    end
  end)

  it("of another version, or from before 1970, has no time", function()
    assert.is_true(C.mp_uuid_v1_unix_100ns(parse "c232ab00-9414-41ec-b3c8-9f6bdeced846") == 0)
    assert.is_true(C.mp_uuid_v1_unix_100ns(parse "00000000-0000-1000-8000-000000000000") == 0)
  end)

  it("of version 1 tells a time before 1970, too", function()
    local ticks = ffi.new "int64_t[1]"
    assert.is_true(C.mp_uuid_v1_time(parse "00000000-0000-1000-8000-000000000000", ticks))
    assert.is_true(ticks[0] == -0x01b21dd213814000LL)
    assert.is_false(C.mp_uuid_v1_time(parse "c232ab00-9414-41ec-b3c8-9f6bdeced846", ticks))
  end)

  it("of a clock is later than the one before, whatever the time does", function()
    local rand, clock, uuid = ffi.new "struct mp_rand", ffi.new "struct mp_uuid_clock", ffi.new "struct mp_uuid"
    local last
    C.mp_rand_seed(rand, 1)
    C.mp_uuid_clock_init(clock, rand)
    for i = 1, 200 do
      C.mp_uuid_clock_next(clock, 16455577420000000ULL + i * (i % 3 == 0 and -7ULL or i % 3), uuid)
      local time = C.mp_uuid_v1_unix_100ns(uuid)
      assert.is_true(last == nil or time > last)
      assert.is_true(uuid.bytes[10] % 2 == 1)
      last = time
    end
  end)
end)
