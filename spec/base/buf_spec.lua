-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

describe("a buffer", function()
  it("appends numbers in network order", function()
    local buf = bytes.buf()
    C.mp_buf_u8(buf, 0x12)
    C.mp_buf_u16(buf, 0x1234)
    C.mp_buf_u32(buf, 0x12345678)
    C.mp_buf_i32(buf, -2)
    C.mp_buf_u64(buf, 0x123456789abcdef0ULL)
    C.mp_buf_i64(buf, -2)
    assert.equal("12123412345678fffffffe123456789abcdef0fffffffffffffffe", bytes.hex(bytes.content(buf)))
  end)

  it("appends text, formatted too", function()
    local buf = bytes.buf()
    C.mp_buf_text(buf, "abc")
    C.mp_buf_printf(buf, "%d-%s", ffi.cast("int", 42), ("y"):rep(1000))
    assert.equal("abc42-" .. ("y"):rep(1000), bytes.content(buf))
  end)

  it("has four bytes replaced and bytes dropped at its front", function()
    local buf = bytes.buf()
    C.mp_buf_text(buf, "0123456789")
    C.mp_buf_patch_u32(buf, 3, 0x61626364)
    assert.equal("012abcd789", bytes.content(buf))
    C.mp_buf_drop_front(buf, 4)
    assert.equal("bcd789", bytes.content(buf))
    C.mp_buf_drop_front(buf, 6)
    assert.equal(0, tonumber(buf.len))
  end)

  it("grows in steps that double", function()
    local buf = bytes.buf()
    local before = C.mp_mem_stats().allocs
    for i = 0, 99999 do C.mp_buf_u8(buf, i % 256) end
    assert.is_true(C.mp_mem_stats().allocs - before <= 11)
    for i = 0, 99999, 777 do assert.equal(i % 256, buf.data[i]) end
  end)

  it("that failed takes nothing more until it is cleared", function()
    local buf = bytes.buf()
    C.mp_buf_text(buf, "abc")
    C.mp_mem_fail_at(1, false)
    C.mp_buf_bytes(buf, ("x"):rep(1000), 1000)
    C.mp_mem_fail_at(0, false)
    C.mp_buf_u8(buf, 1)
    C.mp_buf_patch_u32(buf, 0, 0)
    assert.is_true(buf.failed)
    assert.equal(3, tonumber(buf.len))
    assert.equal(C.MP_ENOMEM, C.mp_buf_status(buf))
    assert.is_true(C.mp_buf_reserve(buf, 1) == nil)
    C.mp_buf_clear(buf)
    assert.equal(0, C.mp_buf_status(buf))
    assert.is_true(C.mp_buf_reserve(buf, 0xffffffffffffffffULL) == nil)
    assert.equal(C.MP_ENOMEM, C.mp_buf_status(buf))
  end)
end)
