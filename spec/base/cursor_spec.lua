-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local C = require "spec.support.c"
local text = bytes.text

describe("a cursor", function()
  it("reads what the protocol is made of", function()
    local cur = bytes.cursor(bytes.of [[12 1234 12345678 fffffffe ffffffffffffffff 0003 'abc' 00000002 'de' 0001 'f'
      00000001 'g' ffffffff fffffffe fffffffd]])
    assert.equal(0x12, C.mp_cursor_u8(cur))
    assert.equal(0x1234, C.mp_cursor_u16(cur))
    assert.equal(0x12345678, C.mp_cursor_u32(cur))
    assert.equal(-2, C.mp_cursor_i32(cur))
    assert.is_true(C.mp_cursor_i64(cur) == -1)
    assert.equal("abc", text(C.mp_cursor_string(cur)))
    assert.equal("de", text(C.mp_cursor_long_string(cur)))
    assert.equal("f", text(C.mp_cursor_short_bytes(cur)))
    assert.equal("g", text(C.mp_cursor_bytes(cur)))
    assert.equal(-1, C.mp_cursor_bytes(cur).len)
    assert.equal(-2, C.mp_cursor_bytes(cur).len)
    assert.equal(-1, C.mp_cursor_bytes(cur).len)
    assert.equal(0, tonumber(C.mp_cursor_left(cur)))
    assert.equal(0, C.mp_cursor_status(cur))
  end)

  it("never leaves its bytes, and stays where it failed", function()
    for _, read in ipairs { "u16", "u32", "i32", "i64", "string", "long_string", "bytes", "short_bytes" } do
      local cur = bytes.cursor "\1"
      C["mp_cursor_" .. read](cur)
      assert.is_true(cur.failed)
      assert.equal(1, tonumber(C.mp_cursor_left(cur)))
      assert.equal(0, C.mp_cursor_u8(cur))
      assert.equal(C.MP_EPROTO, C.mp_cursor_status(cur))
    end
    for _, hex in ipairs { "0005 'abcd'", "ffff" } do
      local cur = bytes.cursor(bytes.of(hex))
      assert.equal("", text(C.mp_cursor_string(cur)))
      assert.is_true(cur.failed)
    end
    for _, hex in ipairs { "00000005 'abcd'", "7fffffff", "ffffffff" } do
      local cur = bytes.cursor(bytes.of(hex))
      assert.equal("", text(C.mp_cursor_long_string(cur)))
      assert.is_true(cur.failed)
    end
  end)

  it("takes a count only when its elements can be there", function()
    local function count(hex, min) return C.mp_cursor_count(bytes.cursor(bytes.of(hex)), min) end
    assert.equal(2, count("00000002 'abcd'", 2))
    assert.equal(0, count("00000003 'abcd'", 2))
    assert.equal(0, count("ffffffff 'abcd'", 1))
    assert.equal(0, count("7fffffff 'abcd'", 1))
  end)
end)

describe("borrowed text", function()
  it("is compared with and without its case", function()
    local abc = bytes.str "abc"
    assert.is_true(C.mp_str_eq(abc, bytes.str "abc"))
    assert.is_false(C.mp_str_eq(abc, bytes.str "abd"))
    assert.is_false(C.mp_str_eq(abc, bytes.str "abcd"))
    assert.is_true(C.mp_str_eq(bytes.str(nil), bytes.str ""))
    assert.is_true(C.mp_str_is(abc, "abc"))
    assert.is_false(C.mp_str_is(abc, "ABC"))
    assert.is_true(C.mp_str_is_nocase(abc, "aBC"))
    assert.is_false(C.mp_str_is_nocase(abc, "ab"))
  end)
end)
