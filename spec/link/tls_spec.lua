-- SPDX-License-Identifier: Apache-2.0
-- TLS on one connection: who is believed, what is refused and in which words. Where it is cut: tls_cuts_spec.lua.
local ffi = require "ffi"
local C = require "spec.support.c"
local tls_world = require "spec.link.tls_world"

if not C.mp_tls_is_built() then return end

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end

describe("TLS", function()
  local tls, world = tls_world.new(), nil
  setup(function() tls:begin() end)
  teardown(function() tls:finish() end)
  after_each(function() tls:close() end)

  local function open(options)
    world = tls:open(options)
    return world
  end
  local function close() tls:close() end
  local function context(options) return tls:context(options) end
  local function file(name) return tls:file(name) end

  local function echoed(link, node, text)
    text = text or "hello"
    local call = assert(link:call(text))
    local before = #node.requests
    world:until_true(function() return #node.requests > before or link.closed end)
    assert(not link.closed, link.closed and link.closed.message)
    assert.is_true(node.requests[#node.requests].cql == text)
    node:echo(node.requests[#node.requests], text:sub(1, 65000))
    world:until_true(function() return call.rc end)
    assert.is_true(call.text == text:sub(1, 65000))
  end

  for _, version in ipairs { 3, 4, 5 } do
    for _, minor in ipairs { 2, 3 } do
      it(("carries v%d over 1.%d, however the bytes are cut"):format(version, minor), function()
        for chunk = 1, 40, 3 do
          open { version = version, serve = { minor = minor },
            settings = { keyspace = "ks", cluster_name = "test cluster" } }
          C.mp_loop_sim_set_chunk(world.loop.handle, chunk)
          local link, node = world:ready { register = true, host_id = ("h"):rep(16) }
          echoed(link, node, ("q"):rep(3000))
          close()
        end
      end)
    end
  end

  it("carries large requests and answers, compressed and not", function()
    for _, compression in ipairs { 0, C.MP_COMPRESSION_LZ4 } do
      for version = 4, 5 do
        open { version = version, compression = compression }
        local link, node = world:ready()
        for _, size in ipairs { 1, 16384, 16385, 131071, 400000 } do echoed(link, node, ("y"):rep(size)) end
        close()
      end
    end
  end)

  local bad = {
    { "expired", "certificate has expired" },
    { "early", "certificate is not yet valid" },
    { "name", "the node's certificate is not for 127.0.0.1" },
    { "name", "the node's certificate is not for node.test", name = "node.test" },
    { "address", "the node's certificate is not for 127.0.0.1" },
    { "common", "the node's certificate is not for 127.0.0.1" },
    { "foreign", "unable to get local issuer certificate" },
    { "alone", "self%-signed certificate" },
    { "weak", "key too weak" },
    { "digest", "signature digest algorithm too weak" },
    { "usage", "unsuitable certificate purpose" },
    { "revoked", "certificate revoked", client = { ca = "ca.pem", crl = "crl.pem" } },
    { "missing", "unable to get local issuer certificate" },
    { "usurped", "invalid CA certificate" },
    { "good", "unable to get local issuer certificate", client = {} }, -- the system's authorities
    { "good", "unable to get local issuer certificate", client = { ca = "stranger.pem" } },
  }
  for _, case in ipairs(bad) do
    it("refuses a certificate and says why: " .. case[1] .. ", " .. case[2], function()
      for _, minor in ipairs { 2, 3 } do
        open { server = case[1], name = case.name, client = case.client, serve = { minor = minor } }
        local closed = world:refused()
        assert.equal(reason "TLS", closed.reason)
        assert.matches(case[2], closed.message)
        assert.equal(C.MP_ECONNECT, closed.err)
        world:pass(50)
        assert.same({}, world.peer:last().seen) -- not one byte of ours
        close()
      end
    end)
  end

  it("believes whom it should", function()
    for _, case in ipairs { { "good" }, { "good", "node.test" }, { "good", "127.0.0.1" }, { "chained" },
      { "good", client = { ca = "ca.pem", crl = "crl.pem" } } } do
      open { server = case[1], name = case[2], client = case.client }
      local link, node = world:ready()
      local asked = C.mp_sim_tls_name(node.tls)
      assert.equal(case[2] == "node.test" and "node.test" or nil, asked ~= nil and ffi.string(asked) or nil)
      echoed(link, node, "hello")
      close()
    end
  end)

  describe("by host id", function()
    local host, other = ("h"):rep(16), ("i"):rep(16)
    local HOST, OTHER = "68686868-6868-6868-6868-686868686868", "69696969-6969-6969-6969-696969696969"
    setup(function()
      tls:issue("dns", "DNS:" .. HOST)
      tls:issue("label", "IP:10.0.0.1, DNS:" .. HOST:upper() .. ".nodes.test")
      tls:issue("uri", "DNS:node.test, URI:urn:uuid:" .. HOST)
      tls:issue(HOST)
      tls:issue("several", "DNS:" .. OTHER .. ", DNS:" .. HOST)
      tls:issue("another", "DNS:" .. OTHER .. ", IP:127.0.0.1")
      tls:issue("inside", "DNS:x" .. HOST .. ", DNS:node." .. HOST .. ", URI:http://x/" .. HOST .. ", IP:127.0.0.1")
    end)

    local function with(server, minor, told, options)
      open { server = server, name = options and options.name, serve = { minor = minor }, peer = { host_id = told },
        client = { ca = "ca.pem", identity = "HOST_ID" } }
    end
    local function each(fn) for minor = 2, 3 do fn(minor) close() end end

    it("finds it wherever a certificate may carry it, whatever the address is", function()
      for _, server in ipairs { "dns", "label", "uri", HOST, "several" } do
        each(function(minor) -- known before, and found out from the node
          with(server, minor, host)
          world:ready { host_id = host }
          echoed(world:ready())
        end)
      end
    end)

    it("says nothing to a node whose certificate is for another host, or for none", function()
      local not_this, none = "is not for host " .. HOST, "is not for any host: it has no host id"
      for _, case in ipairs { { "another", host, not_this }, { "good", host, not_this }, { "inside", host, not_this },
        { "good", nil, none }, { "inside", nil, none } } do
        each(function(minor)
          with(case[1], minor, host)
          local closed = world:refused { host_id = case[2] }
          assert.equal(reason "TLS", closed.reason)
          assert.matches("the node's certificate " .. case[3], closed.message, 1, true)
          world:pass(50)
          assert.same({}, world.peer:last().seen)
        end)
      end
    end)

    it("believes a node no other host id than its certificate's", function()
      each(function(minor)
        with("another", minor, host)
        local closed = world:refused()
        assert.equal(reason "TLS", closed.reason)
        assert.equal("the node says that it is host " .. HOST .. ", and its certificate is not for that",
          closed.message)
      end)
      each(function(minor)
        with("another", minor, "none")
        assert.equal(reason "TLS", world:refused().reason)
      end)
      each(function(minor) -- it has both, and is not the one that was meant
        with("several", minor, other)
        assert.equal(reason "IDENTITY", world:refused { host_id = host }.reason)
      end)
    end)

    it("goes on with sessions of the same host only", function()
      each(function(minor)
        local client = context { ca = "ca.pem", identity = "HOST_ID" }
        open { server = "several", tls = client, serve = { minor = minor } }
        local handshakes, resumed = ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
        world.client.settings.tls_handshakes, world.client.settings.tls_resumed = handshakes, resumed
        for i, case in ipairs { { nil, 0 }, { host, 0 }, { nil, 1 }, { host, 2 } } do
          local link = world:ready { host_id = case[1] }
          echoed(link, world.peer:last(), "hello")
          link:close()
          world:until_true(function() return link.closed end)
          assert.same({ i, case[2] }, { tonumber(handshakes[0]), tonumber(resumed[0]) })
        end
      end)
    end)

    it("asks for a name all the same, and has nothing to say about whom it need not believe", function()
      with("dns", 3, host, { name = "node.test" })
      local _, node = world:ready()
      assert.equal("node.test", ffi.string(C.mp_sim_tls_name(node.tls)))
      close()
      open { server = "good", client = { unverified = true, identity = "HOST_ID" } }
      echoed(world:ready())
    end)
  end)

  it("wants the address where it is told to, whatever the name", function()
    for _, case in ipairs { { "good", true }, { "address" }, { "named" } } do
      open { server = case[1], name = "node.test", client = { ca = "ca.pem", identity = "ADDRESS" } }
      if case[2] then
        local link, node = world:ready()
        assert.equal("node.test", ffi.string(C.mp_sim_tls_name(node.tls)))
        echoed(link, node, "hello")
      else
        assert.matches("the node's certificate is not for 127.0.0.1", world:refused().message)
      end
      close()
    end
  end)

  it("believes everybody if it is told to, and says so for each connection", function()
    for _, name in ipairs { "expired", "name", "foreign", "alone" } do
      open { server = name, client = { unverified = true } }
      local lines, log = {}, C.mp_loop_log(world.loop.handle)
      log.level = C.MP_LOG_WARN
      log.sink = world.loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, _, line)
        lines[#lines + 1] = ffi.string(line)
      end)
      for i = 1, 2 do
        local link = world.client:open_ready(world.addr)
        assert(link.ready)
        assert.equal(i, #lines)
        assert.matches("tls.verify is false: whoever answers there is believed", lines[i], 1, true)
      end
      log.level, log.sink = C.MP_LOG_OFF, nil
      close()
    end
  end)

  it("shows its own certificate to a node that asks for one", function()
    open { serve = { ca = "ca.pem" }, client = { ca = "ca.pem", cert = "client.pem", key = "client.key" } }
    local link, node = world:ready()
    assert.is_true(C.mp_sim_tls_has_certificate(node.tls))
    echoed(link, node, "hello")
    close()
    for _, minor in ipairs { 2, 3 } do
      for _, client in ipairs { { ca = "ca.pem" }, { ca = "ca.pem", cert = "alone.pem", key = "alone.key" } } do
        open { serve = { ca = "ca.pem", minor = minor }, client = client }
        local closed = world:refused()
        assert.matches("TLS: .*alert", closed.message)
        close()
      end
    end
  end)

  it("is 1.2 at least, or 1.3 (A9)", function()
    for _, case in ipairs { { 0, 0 }, { 1, 0 }, { 2, 3 } } do
      open { serve = { minor = case[1] == 0 and 1 or case[1] }, client = { ca = "ca.pem", minor = case[2] } }
      local closed = world:refused()
      assert.equal(reason "TLS", closed.reason)
      assert.matches("protocol version", closed.message)
      close()
    end
    open { serve = { minor = 3 }, client = { ca = "ca.pem", minor = 3 } }
    world:ready()
  end)

  it("uses the cipher suites that are named, and no other", function()
    local one, other = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"
    for _, case in ipairs {
      { one, 2, one }, { other, 2, other }, { other .. ":" .. one, 2, other },
      { "TLS_CHACHA20_POLY1305_SHA256", 3, "TLS_CHACHA20_POLY1305_SHA256" },
      { "TLS_AES_128_GCM_SHA256:" .. one, 3, "TLS_AES_128_GCM_SHA256" },
      { "TLS_AES_128_GCM_SHA256:" .. one, 2, one },
      { "TLS_AES_128_GCM_SHA256", 2, nil }, -- none of 1.2 is named, so it is not spoken
      { one, 3, nil },
    } do
      open { serve = { minor = case[2] }, client = { ca = "ca.pem", ciphers = case[1] } }
      local link = world.client:open_ready(world.addr)
      if case[3] then
        assert(link.ready, link.closed and link.closed.message)
        assert.equal(case[3], ffi.string(C.mp_sim_tls_cipher(world.peer:last().tls)))
      else
        world:until_true(function() return link.closed end)
        assert.matches("protocol version", link.closed.message)
      end
      close()
    end
    assert(context { ca = "ca.pem", ciphers = "AES" }) -- a word for many suites
    for _, case in ipairs { { one .. ":NOTHING", "NOTHING" }, { one .. ":NULL-SHA256", "NULL-SHA256" },
      { "TLS_NOTHING", "TLS_NOTHING" }, { one, one, 3 }, { "DES-CBC3-SHA", "DES-CBC3-SHA" },
      { one .. ":RC4-MD5", "RC4-MD5" } } do
      local made, why, err = context { ca = "ca.pem", ciphers = case[1], minor = case[3] }
      assert.is_nil(made)
      assert.equal(C.MP_ECONFIG, err)
      assert.matches('ciphers: OpenSSL has no "' .. case[2] .. '", or it is too weak', why, 1, true)
    end
  end)

  it("reads a key that has a pass phrase", function()
    for _, wrong in ipairs { "guess", "", ("x"):rep(3000) } do
      local made, why = context { ca = "ca.pem", cert = "good.pem", key = "locked.key", pass_phrase = wrong }
      assert.is_nil(made)
      assert.matches("locked.key: ", why)
      assert.is_nil(wrong ~= "" and why:find(wrong, 1, true) or nil)
    end
    open { serve = { ca = "ca.pem" },
      client = { ca = "ca.pem", cert = "good.pem", key = "locked.key", pass_phrase = "secret" } }
    local _, node = world:ready()
    assert.is_true(C.mp_sim_tls_has_certificate(node.tls))
  end)

  it("does not negotiate anew, and takes new keys (A9)", function()
    for _, minor in ipairs { 2, 3 } do
      open { serve = { minor = minor } }
      local link, node = world:ready()
      for _ = 1, 3 do
        node:records(function(wire) return C.mp_sim_tls_renegotiate(node.tls, wire) end)
        world:pass(20)
        if minor == 3 then echoed(link, node, "hello") end
      end
      if minor == 2 then
        assert.is_truthy(link.closed or link.ready)
        local call = not link.closed and link:call "x"
        world:pass(50)
        assert.is_true(link.closed ~= nil or call.rc == nil) -- no new negotiation was begun by us
      end
      close()
    end
  end)

  it("resumes the session of an earlier connection to the same node, and only that", function()
    for _, minor in ipairs { 2, 3 } do
      open { serve = { minor = minor } }
      for i = 1, 4 do
        local link, node = world:ready()
        echoed(link, node, "hello")
        assert.equal(i > 1, C.mp_tls_resumed(link.conn.tls))
        link:close()
        world:until_true(function() return link.closed end)
      end
      close()
    end
  end)

  it("resumes the session of a connection that was lost without a word, too", function()
    for _, minor in ipairs { 2, 3 } do
      for _, name in ipairs { "HEARTBEAT", "LOST", "HANDSHAKE_TIMEOUT" } do
        open { serve = { minor = minor } }
        for i = 1, 3 do
          local link, node = world:ready()
          echoed(link, node, "hello")
          assert.equal(i > 1, C.mp_tls_resumed(link.conn.tls), name)
          C.mp_conn_close(link.conn, reason(name), nil)
          world:until_true(function() return link.closed end)
        end
        close()
      end
    end
  end)

  it("ends with a word on both sides, and an end without one is a cut (A6)", function()
    open {}
    local link, node = world:ready()
    link:close()
    world:until_true(function() return node.ended end)
    assert.is_true(node.notified)
    for _, cut in ipairs { false, true } do
      link, node = world:ready()
      local call = assert(link:call "x")
      world:until_true(function() return #node.requests == 1 end)
      node:close(false, cut)
      world:until_true(function() return link.closed end)
      assert.equal(reason(cut and "LOST" or "PEER"), link.closed.reason)
      assert.matches(cut and "without TLS's close_notify" or "the node closed the connection", link.closed.message)
      assert.equal(C.MP_ELOST, call.rc)
    end
  end)

  it("is bounded by the deadline of connect (A6)", function()
    open { peer = { deaf = true } }
    local began = world.loop:now_ms()
    local closed = world:refused()
    assert.equal(reason "HANDSHAKE_TIMEOUT", closed.reason)
    assert.matches("it waits for the TLS handshake", closed.message)
    assert.is_true(world.loop:now_ms() - began <= 5100)
  end)

  it("names a node that does not speak it", function()
    open { plain = true, peer = { deaf = true, on_accept = function(link)
      link:raw "\133\0\0\0\0\0\0\0\4\0\0\0\0HTTP/1.1 400 Bad Request\r\n\r\n"
    end } }
    local closed = world:refused()
    assert.equal(reason "TLS", closed.reason)
    assert.matches("does not speak TLS", closed.message)
  end)

  it("survives records that are spoiled, at every step (A6)", function()
    for seed = 1, 80 do
      math.randomseed(seed)
      open { seed = seed }
      local at, sent = math.random(0, 3000), 0
      world.peer.on_accept = function(link)
        local pump = link.pump
        link.pump = function(self)
          local bytes = table.concat(self.out)
          local i = at - sent + 1
          if i >= 1 and i <= #bytes then
            bytes = bytes:sub(1, i - 1) .. string.char(bit.bxor(bytes:byte(i), math.random(255))) .. bytes:sub(i + 1)
          end
          sent = sent + #bytes
          self.out = { bytes }
          pump(self)
        end
      end
      local link = world.client:open_ready(world.addr)
      if link.ready then
        local call = link:call "hello"
        local node = world.peer:last()
        world:until_true(function() return link.closed or #node.requests > 0 end)
        if not link.closed then node:echo(node.requests[1]) end
        world:until_true(function() return call.rc end)
        if call.rc == 0 then assert.equal("hello", call.text) end
      else
        assert.is_true(#link.closed.message > 10)
      end
      close()
    end
  end)

  it("names the file that cannot be used, and the cause", function()
    local function refused(options, ...)
      local made, why, err = context(options)
      assert.is_nil(made)
      assert.equal(C.MP_ECONFIG, err)
      for _, pattern in ipairs { ... } do assert.matches(pattern, why) end
    end
    refused({ ca = "none.pem" }, "none.pem: No such file or directory")
    refused({ ca = "log" }, "log: ")
    refused({ ca = "ca.pem", crl = "ca.pem" }, "ca.pem: ")
    refused({ ca = "ca.pem", cert = "none.pem" }, "none.pem: No such file or directory")
    refused({ ca = "ca.pem", cert = "client.pem" }, "client.pem: ")
    refused({ ca = "ca.pem", cert = "client.pem", key = "good.key" }, "good.key: key values mismatch")
    refused({ ca = "ca.pem", cert = "good.pem", key = "locked.key" }, "locked.key: ")
    assert(os.execute(("mkdir '%s' && mkfifo '%s' && : > '%s'"):format(file "folder", file "pipe", file "empty")) == 0)
    for _, key in ipairs { "ca", "crl", "cert", "key" } do
      local options = { ca = "ca.pem", cert = "good.pem", key = "good.key" }
      for name, pattern in pairs { folder = "it is no", pipe = "it is not a file", empty = "", none = "No such" } do
        options[key] = name
        refused(options, name .. ": " .. pattern)
      end
    end
  end)
end)
