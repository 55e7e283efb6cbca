-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

local function parse(text, port)
  local addr = ffi.new "struct mp_addr"
  local rc = C.mp_addr_parse_ip(text, port or 9042, addr)
  return rc == 0 and addr or rc
end

local function formatted(addr, fn)
  local text = ffi.new "char[64]"
  C[fn or "mp_addr_format"](addr, text)
  return ffi.string(text)
end

describe("an address", function()
  it("is its text", function()
    for text, expected in pairs { ["127.0.0.1"] = "127.0.0.1:9042", ["::1"] = "[::1]:9042",
      ["2a00:1328:e102:ccc0::122"] = "[2a00:1328:e102:ccc0::122]:9042", ["0.0.0.0"] = "0.0.0.0:9042" } do
      assert.equal(expected, formatted(parse(text)))
      assert.equal(text, formatted(parse(text), "mp_addr_format_ip"))
    end
    local longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    assert.equal("[" .. longest .. "]:65535", formatted(parse(longest, 65535)))
    assert.equal("none", formatted(ffi.new "struct mp_addr"))
  end)

  it("is its text with a port behind it, or with the usual one", function()
    local function whole(text, port)
      local addr = ffi.new "struct mp_addr"
      return C.mp_addr_parse(text, port or 9042, addr) == 0 and formatted(addr) or nil
    end
    for text, expected in pairs { ["127.0.0.1"] = "127.0.0.1:9042", ["127.0.0.1:1"] = "127.0.0.1:1",
      ["::1"] = "[::1]:9042", ["[::1]"] = "[::1]:9042", ["[::1]:65535"] = "[::1]:65535",
      ["::ffff:1.2.3.4"] = "[::ffff:1.2.3.4]:9042" } do
      assert.equal(expected, whole(text))
    end
    for text, expected in pairs { ["fe80::1%2"] = "[fe80::1%2]:9042",
      ["[fe80::1%4294967295]:1"] = "[fe80::1%4294967295]:1" } do
      assert.equal(expected, whole(text))
      assert.equal(expected, whole(expected))
    end
    for _, text in ipairs { "fe80::1%", "fe80::1%0", "fe80::1%lo", "fe80::1%4294967296", "127.0.0.1%1", "[fe80::1%2",
      "", ":", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:90x", "127.0.0.1:-1",
      "127.0.0.1: 9042", "127.0.0.1:4294967297", "[::1", "[::1]9042", "[::1]:", "[::1]:0", "[127.0.0.1]:9042", "[]:1",
      "host:9042", ("1"):rep(100) .. ":1", "[" .. ("1:"):rep(40) .. "]:1" } do
      assert.is_nil(whole(text), text)
    end
  end)

  it("of one zone is none of another", function()
    local function at(text)
      local addr = ffi.new "struct mp_addr"
      assert.equal(0, C.mp_addr_parse(text, 1, addr))
      return addr
    end
    assert.is_true(C.mp_addr_eq(at "fe80::1%2", at "fe80::1%2"))
    assert.is_false(C.mp_addr_eq(at "fe80::1%2", at "fe80::1%3"))
    assert.is_false(C.mp_addr_eq(at "fe80::1%2", at "fe80::1"))
  end)

  it("is made of literals only", function()
    for _, text in ipairs { "", "localhost", "127.0.0", "127.0.0.1:9042", "[::1]", "1.2.3.256", "::g", "::1%lo",
      " ::1" } do
      assert.equal(C.MP_EINVAL, parse(text))
    end
  end)

  it("is compared with and without its port", function()
    local a, b, c = parse("10.0.0.1", 1), parse("10.0.0.1", 2), parse("10.0.0.2", 1)
    assert.is_true(C.mp_addr_eq(a, C.mp_addr_v4(10, 0, 0, 1, 1)))
    assert.is_false(C.mp_addr_eq(a, b))
    assert.is_true(C.mp_addr_same_ip(a, b))
    assert.is_false(C.mp_addr_same_ip(a, c))
    assert.is_false(C.mp_addr_same_ip(parse "0.0.0.0", parse "::"))
  end)

  it("may be any", function()
    for _, any in ipairs { parse "0.0.0.0", parse "::", ffi.new "struct mp_addr" } do
      assert.is_true(C.mp_addr_is_any(any))
    end
    for _, text in ipairs { "0.0.0.1", "::1", "1.0.0.0" } do assert.is_false(C.mp_addr_is_any(parse(text))) end
  end)
end)
