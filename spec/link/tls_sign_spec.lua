-- SPDX-License-Identifier: Apache-2.0
-- Signatures: of exactly this text, by exactly this key; what is no key signs nothing.
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

if not C.mp_tls_is_built() then return end

local function new_key()
  local pem, key = bytes.buf(), ffi.new "uint8_t[32]"
  assert.equal(0, C.mp_sign_new_key(pem, key))
  return bytes.content(pem), key
end

local function sign(pem, text)
  local signature, key = ffi.new "uint8_t[64]", ffi.new "uint8_t[32]"
  return C.mp_sign_text(pem, #pem, text, #text, signature, key), signature, key
end

local function is_good(key, text, signature) return C.mp_sign_is_good(key, text, #text, signature) end

describe("a signature", function()
  it("is good for its text and its key, and for no other", function()
    local pem, key = new_key()
    local rc, signature, same_key = sign(pem, "a policy")
    assert.equal(0, rc)
    assert.equal(ffi.string(key, 32), ffi.string(same_key, 32))
    assert.is_true(is_good(key, "a policy", signature))
    for _, other in ipairs { "", "a polic", "a policy ", "A policy" } do
      assert.is_false(is_good(key, other, signature))
    end
    local _, another = new_key()
    assert.is_false(is_good(another, "a policy", signature))
    for at = 0, 63, 7 do
      signature[at] = bit.bxor(signature[at], 1)
      assert.is_false(is_good(key, "a policy", signature))
      signature[at] = bit.bxor(signature[at], 1)
    end
    assert.is_true(is_good(key, "a policy", signature))
    assert.is_false(is_good(ffi.new "uint8_t[32]", "a policy", ffi.new "uint8_t[64]"))
  end)

  it("may be of no text at all", function()
    local pem, key = new_key()
    local rc, signature = sign(pem, "")
    assert.equal(0, rc)
    assert.is_true(is_good(key, "", signature))
  end)

  it("is made by a private key of its kind that needs no passphrase", function()
    local function made_by(command)
      local pipe = io.popen(command .. " 2>/dev/null")
      local pem = pipe:read "*a"
      pipe:close()
      return pem
    end
    local pem = new_key()
    for _, other in ipairs { "", "x", pem:sub(1, #pem / 2), (pem:gsub("PRIVATE", "PUBLIC")),
      made_by "openssl ecparam -name prime256v1 -genkey -noout",
      made_by "openssl genpkey -algorithm ed25519 -aes128 -pass pass:x",
      made_by "openssl genpkey -algorithm x25519" } do
      assert.equal(C.MP_EINVAL, (sign(other, "text")))
    end
    assert.equal(0, (sign(made_by "openssl genpkey -algorithm ed25519", "text")))
    local signature, key = ffi.new "uint8_t[64]", ffi.new "uint8_t[32]"
    assert.equal(C.MP_EINVAL, C.mp_sign_text(pem, 2 ^ 31, "text", 4, signature, key)) -- it is not looked at
  end)

  it("needs memory for its key", function()
    local pem, key = bytes.buf(), ffi.new "uint8_t[32]"
    C.mp_mem_fail_at(1, true)
    local rc = C.mp_sign_new_key(pem, key)
    C.mp_mem_fail_at(0, false)
    assert.equal(C.MP_ENOMEM, rc)
  end)
end)
