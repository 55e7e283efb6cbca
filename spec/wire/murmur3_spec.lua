-- SPDX-License-Identifier: Apache-2.0
-- Tokens as Cassandra's Murmur3Partitioner gives them; the values stand in the unit tests of the drivers.
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

local function token(key)
  local memory = bytes.exact(key)
  return C.mp_murmur3_token(memory, #key)
end

describe("a Murmur3 token", function()
  it("is Cassandra's for every length of tail", function()
    local expected = {
      [0] = 0x0000000000000000ULL, 0x2ac9debed546a380ULL, 0x649e4eaa7fc1708eULL, 0xce68f60d7c353bdbULL,
      0x0f95757ce7f38254ULL, 0x0f04e459497f3fc1ULL, 0x88c0a92586be0a27ULL, 0x13eb9fb82606f7a6ULL,
      0x8236039b7387354dULL, 0x4c1e87519fe738baULL, 0x3f9652ac3effeb24ULL, 0x3f33760ded9006c6ULL,
      0xaed70a6631854cb1ULL, 0x8a299a8f8e0e2da7ULL, 0x624b675c779249a6ULL, 0xa4b203bb1d90b9a3ULL,
      0xa3293ad698ecb99aULL, 0xbc740023dbd50048ULL, 0x3fe5ab9837d25cddULL, 0x2d0338c1ca87d132ULL,
    }
    local text = "0123456789012345678"
    for len = 0, 19 do
      assert.equal(expected[len], ffi.cast("uint64_t", token(text:sub(1, len))), "of " .. len .. " bytes")
    end
  end)

  it("treats bytes above 0x7f as Java's signed ones, in blocks and in tails", function()
    assert.equal(-9223371632693506265LL, token(bytes.of "00104327529fb645dd00b883ec39ae448bb800000400066a6b00"))
    assert.equal(5837342703291459765LL, token(("\0\255\16\250\153"):rep(10)))
    assert.equal(-8927430733708461935LL, token(("\254"):rep(8)))
    assert.equal(1446172840243228796LL, token(("\16"):rep(8)))
  end)

  it("is known for some texts", function()
    assert.equal(-7468325962851647638LL, token "123")
    assert.equal(7162290910810015547LL, token "9223372036854775807")
  end)

  it("does not depend on where the key lies in memory", function()
    local key = "a key that is longer than two blocks of it"
    local memory = bytes.exact("......." .. key)
    for shift = 0, 7 do
      ffi.copy(memory + shift, key, #key)
      assert.equal(token(key), C.mp_murmur3_token(memory + shift, #key))
    end
  end)
end)

describe("a tail of signed bytes", function()
  -- The same sum as Java does it, byte after byte.
  local function slow(key)
    local u64 = function(x) return ffi.cast("uint64_t", x) end
    local function rotl(x, by) return bit.rol(x, by) end
    local function mix(h)
      h = bit.bxor(h, bit.rshift(h, 33)) * 0xff51afd7ed558ccdULL
      h = bit.bxor(h, bit.rshift(h, 33)) * 0xc4ceb9fe1a85ec53ULL
      return bit.bxor(h, bit.rshift(h, 33))
    end
    local c1, c2, k1, k2 = 0x87c37b91114253d5ULL, 0x4cf5ad432745937fULL, 0ULL, 0ULL
    for i = 1, #key do
      local signed = ffi.cast("int64_t", ffi.cast("int8_t", key:byte(i)))
      if i <= 8 then
        k1 = bit.bxor(k1, bit.lshift(u64(signed), 8 * (i - 1)))
      else
        k2 = bit.bxor(k2, bit.lshift(u64(signed), 8 * (i - 9)))
      end
    end
    local h2 = rotl(k2 * c2, 33) * c1
    local h1 = rotl(k1 * c1, 31) * c2
    h1, h2 = bit.bxor(h1, u64(#key)), bit.bxor(h2, u64(#key))
    h1 = h1 + h2
    h2 = h2 + h1
    return ffi.cast("int64_t", mix(h1) + mix(h2))
  end

  it("is summed as Java sums it", function()
    local rand = bytes.rand(8)
    for _ = 1, 5000 do
      local key = bytes.random_bytes(rand, rand(0, 15))
      assert.equal(slow(key), token(key))
    end
  end)
end)
