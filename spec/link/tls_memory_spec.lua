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
  local function every(total)
    return tonumber(os.getenv "MOONPOOL_TORTURE") or math.max(1, math.floor(total / 40))
  end

  it("survives each allocation of OpenSSL's that fails: a context is there or it is told why not", function()
    local options = { ca = "ca.pem", crl = "crl.pem", cert = "client.pem", key = "client.key" }
    assert(context(options))
    C.spec_openssl_fail_at(0)
    assert(context(options))
    local total, failed = tonumber(C.spec_openssl_count()), 0
    for nth = 1, total, every(total) do
      C.spec_openssl_fail_at(nth)
      local made, why = context(options)
      C.spec_openssl_fail_at(0)
      if not made then
        failed = failed + 1
        assert.is_true(#why > 0)
      end
    end
    assert.is_true(failed > 0)
    assert(context(options))
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
    for nth = 1, 40 do life(nth) end -- where the connection is made
    for nth = 41, total, every(total) do life(nth) end
  end)

  it("survives each allocation of OpenSSL's that fails: a connection is there or has ended", function()
    local function life(nth)
      open { version = 5 }
      C.spec_openssl_fail_at(nth)
      local link = world.client:open(world.addr)
      local call
      if link then
        world:until_true(function() return link.ready or link.closed end)
        call = link.ready and link:call(("m"):rep(70000))
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
    for nth = 1, total, every(total) do life(nth) end
  end)

  it("survives each allocation of its own that fails", function()
    local done
    for nth = 1, 200 do
      open { version = 5 }
      C.mp_mem_fail_at(nth, false)
      local link = world.client:open(world.addr)
      if link then
        world:until_true(function() return link.ready or link.closed end)
        local call = link.ready and link:call(("m"):rep(70000))
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

jit.off(true, true)
