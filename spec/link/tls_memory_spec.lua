-- SPDX-License-Identifier: Apache-2.0
-- TLS whose memory ends: allocations of ours and of OpenSSL's, one by one.
local ffi = require "ffi"
local C = require "spec.support.c"
local tls_world = require "spec.link.tls_world"

if not C.mp_tls_is_built() then return end

ffi.cdef [[
void spec_openssl_fail_at(uint64_t nth);
uint64_t spec_openssl_count(void);
]]

describe("TLS", function()
  local tls, world = tls_world.new(), nil
  setup(function() tls:begin() end)
  teardown(function() tls:finish() end)
  after_each(function()
    C.spec_openssl_fail_at(0)
    tls:close()
  end)

  local function open(options)
    world = tls:open(options)
    return world
  end
  local function close() tls:close() end
  local function context(options) return tls:context(options) end

  -- As many as the suite has time for, or all (scripts/torture).
  local function every(total, tried)
    return tonumber(os.getenv "MOONPOOL_TORTURE") or math.max(1, math.floor(total / tried))
  end

  it("survives each allocation of OpenSSL's that fails: a context is there or it is told why not", function()
    for _, options in ipairs { { ca = "ca.pem", crl = "crl.pem", cert = "client.pem", key = "client.key" },
      { unverified = true, ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256" },
      { unverified = true, ciphers = "TLS_AES_128_GCM_SHA256" },
      { unverified = true, ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" } } do
      assert(context(options))
      C.spec_openssl_fail_at(0)
      assert(context(options))
      local total, failed = tonumber(C.spec_openssl_count()), 0
      assert.is_true(not options.unverified or total < 2000, total) -- the system's authorities take 226,000
      for nth = 1, total, every(total, 12) do
        C.spec_openssl_fail_at(nth)
        local made, why = context(options)
        C.spec_openssl_fail_at(0)
        tls:free_contexts()
        if not made then
          failed = failed + 1
          assert.is_true(#why > 0)
        end
      end
      assert.is_true(failed > 0)
      assert(context(options))
    end
  end)

  it("makes no context without memory of its own, and says so", function()
    local options = { ca = "ca.pem", cert = "client.pem", key = "client.key" }
    local failed = 0
    for nth = 1, 10 do
      C.mp_mem_fail_at(nth, false)
      local made, why = context(options)
      C.mp_mem_fail_at(0, false)
      if not made then
        failed = failed + 1
        assert.is_true(#why > 0)
      end
    end
    assert.is_true(failed >= 2)
    assert(context(options))
  end)

  it("signs, and believes signatures, as ever or not at all, whichever allocation of OpenSSL's fails", function()
    local pem, key = ffi.gc(ffi.new "struct mp_buf", C.mp_buf_deinit), ffi.new "uint8_t[32]"
    C.mp_buf_init(pem)
    assert.equal(0, C.mp_sign_new_key(pem, key))
    local signature, signer = ffi.new "uint8_t[64]", ffi.new "uint8_t[32]"
    local function sign() return C.mp_sign_text(pem.data, pem.len, "text", 4, signature, signer) end
    assert.equal(0, sign())
    local good = ffi.string(signature, 64)
    local deeds = {
      function() return C.mp_sign_is_good(key, "text", 4, good) and 0 or C.MP_ENOMEM end,
      function() return C.mp_sign_is_good(key, "Text", 4, good) and 1 or 0 end,
      sign,
      function()
        local another, its_key = ffi.gc(ffi.new "struct mp_buf", C.mp_buf_deinit), ffi.new "uint8_t[32]"
        C.mp_buf_init(another)
        return C.mp_sign_new_key(another, its_key)
      end,
    }
    for i, deed in ipairs(deeds) do
      C.spec_openssl_fail_at(0)
      assert.equal(0, deed())
      local total = tonumber(C.spec_openssl_count())
      for nth = 1, total, every(total, 40) do
        C.spec_openssl_fail_at(nth)
        local rc = deed()
        C.spec_openssl_fail_at(0)
        assert.is_true(rc == 0 or i ~= 2 and (rc == C.MP_ENOMEM or rc == C.MP_EINVAL), i .. ": " .. rc)
      end
      assert.equal(0, deed())
      if i == 3 then assert.equal(good, ffi.string(signature, 64)) end
    end
  end)

  it("judges certificates as ever, or not at all, whichever allocation of OpenSSL's fails", function()
    -- A certificate that is for another host: not a word is said to that node.
    tls:issue("another", "DNS:node.test,DNS:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a")
    local function life(nth)
      open { version = 5, server = "another", client = { ca = "ca.pem", identity = "HOST_ID" },
        peer = { host_id = ("h"):rep(16) } }
      C.spec_openssl_fail_at(nth)
      local link = world.client:open(world.addr, { host_id = ("h"):rep(16) })
      if link then world:until_true(function() return link.ready or link.closed end) end
      local count = tonumber(C.spec_openssl_count())
      C.spec_openssl_fail_at(0)
      local node = world.peer:last()
      assert.is_false(link ~= nil and link.ready == true, nth)
      assert.same({}, node and node.seen or {}, nth)
      close()
      return count
    end
    life(0)
    local total = life(0)
    for nth = 1, 30 do life(nth) end -- where the connection is made
    for nth = 31, total, every(total, 15) do life(nth) end
  end)

  it("survives each allocation of OpenSSL's that fails: a connection is there or has ended", function()
    local function life(nth)
      open { version = 5 }
      C.spec_openssl_fail_at(nth)
      local link = world.client:open(world.addr)
      local call
      if link then
        world:until_true(function() return link.ready or link.closed end)
        call = link.ready and not link.closed and link:call(("m"):rep(70000))
        if call then
          local node = world.peer:last()
          world:until_true(function() return link.closed or node.closed or #node.requests == 1 end)
          if #node.requests == 1 and not link.closed then node:echo(node.requests[1], "done") end
          world:until_true(function() return call.rc or node.closed end)
        end
      end
      local count = tonumber(C.spec_openssl_count())
      C.spec_openssl_fail_at(0)
      close()
      return count
    end
    life(0)
    local total = life(0)
    for nth = 1, total, every(total, 15) do life(nth) end
  end)

  it("survives each allocation of its own that fails", function()
    local done
    for nth = 1, 200 do
      open { version = 5 }
      C.mp_mem_fail_at(nth, false)
      local link = world.client:open(world.addr)
      if link then
        world:until_true(function() return link.ready or link.closed end)
        local call = link.ready and not link.closed and link:call(("m"):rep(70000))
        if call then
          local node = world.peer:last()
          world:until_true(function() return link.closed or #node.requests == 1 end)
          if not link.closed then node:echo(node.requests[1], "done") end
          world:until_true(function() return call.rc end)
          done = call.rc == 0
        end
      end
      C.mp_mem_fail_at(0, false)
      close()
      if done and nth > 60 then break end
    end
    assert.is_true(done)
  end)
end)
