-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("the plain authenticator", function()
  local plain, buf

  before_each(function()
    plain, buf = ffi.new "struct mp_auth_plain", ffi.new "struct mp_buf"
    plain.username, plain.password = "ana", "s3cret"
    C.mp_buf_init(buf)
  end)
  after_each(function() C.mp_buf_deinit(buf) end)

  local function respond(challenge)
    return C.mp_auth_plain_respond(plain, ffi.new "struct mp_auth_exchange", challenge, buf)
  end

  it("says both at once", function()
    assert.equal(0, respond(nil))
    assert.equal("\0ana\0s3cret", ffi.string(buf.data, buf.len))
  end)

  it("may have nothing to say", function()
    plain.username, plain.password = "", ""
    assert.equal(0, respond(nil))
    assert.equal("\0\0", ffi.string(buf.data, buf.len))
  end)

  it("takes its memory in one piece, so that no copy of the password is left behind", function()
    local long = ("p"):rep(5000)
    plain.password = long
    local before = C.mp_mem_stats().allocs
    assert.equal(0, respond(nil))
    assert.equal(1, tonumber(C.mp_mem_stats().allocs - before))
    assert.equal(5005, tonumber(buf.len))
  end)

  it("has none any more when one of them was taken away", function()
    for _, key in ipairs { "username", "password" } do
      local kept = plain[key]
      plain[key] = nil
      assert.equal(C.MP_EAUTH, respond(nil))
      plain[key] = kept
    end
    assert.equal(0, tonumber(buf.len))
  end)

  it("knows no challenge", function()
    assert.equal(C.MP_EAUTH, respond(ffi.new "struct mp_bytes"))
  end)

  it("says so when there is no memory", function()
    C.mp_mem_fail_at(1, false)
    assert.equal(C.MP_ENOMEM, respond(nil))
    C.mp_mem_fail_at(0, false)
  end)
end)
