-- SPDX-License-Identifier: Apache-2.0
-- TLS on one connection: who is believed, what is refused and in which words, and that the count of bytes is exact.
local ffi = require "ffi"
local C = require "spec.support.c"
local certificates = require "spec.support.certificates"
local link_world = require "spec.support.link_world"
local clients = require "spec.support.client"

if not C.mp_tls_is_built() then return end

local NOTHING, PART, WHOLE = 0, 1, 2

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end

describe("TLS", function()
  local folder, world
  local contexts = {}

  setup(function() folder = certificates.folder() end)
  teardown(function() certificates.remove(folder) end)

  local function file(name) return name and folder .. "/" .. name end

  -- The client's context; and, when the files are bad, nil, the message and the error.
  local function context(options)
    options = options or {}
    local o, why, err = ffi.new "struct mp_tls_options", ffi.new "char[300]", ffi.new "int[1]"
    local kept = {}
    for _, key in ipairs { "ca", "cert", "key", "crl" } do
      kept[key] = file(options[key])
      if kept[key] then o[key] = kept[key] end
    end
    o.unverified, o.minor = options.unverified or false, options.minor or 0
    local made = C.mp_tls_context_new(o, why, 300, err)
    if made == nil then return nil, ffi.string(why), err[0] end
    contexts[#contexts + 1] = made
    return made
  end

  local function server(name, options)
    options = options or {}
    local why = ffi.new "char[300]"
    local made = C.mp_sim_tls_context_new(file(name .. ".pem"), file(name .. ".key"), file(options.ca),
      options.minor or 0, why, 300)
    assert(made ~= nil, ffi.string(why))
    return ffi.gc(made, C.mp_sim_tls_context_free)
  end

  -- options: server (a certificate's name), serve (its options), client (options of the context), tls (a
  -- context), name,
  -- version, compression, settings, peer
  local function open(options)
    local settings = { version = options.version or 5,
      tls = options.tls or assert(context(options.client or { ca = "ca.pem" })), tls_name = options.name,
      compression = options.compression or 0 }
    for key, value in pairs(options.settings or {}) do settings[key] = value end
    local peer = { tls = options.plain ~= true and server(options.server or "good", options.serve) or nil,
      compression = { "lz4", "snappy" } }
    for key, value in pairs(options.peer or {}) do peer[key] = value end
    world = link_world.open { settings = settings, peer = peer, seed = options.seed }
    return world
  end

  local function close()
    if world then world:close() end
    world = nil
    for _, made in ipairs(contexts) do C.mp_tls_context_unref(made) end
    contexts = {}
    collectgarbage()
  end
  after_each(function()
    C.mp_mem_fail_at(0, false)
    close()
  end)

  local function echoed(link, node, text)
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

  it("is 1.2 at least, or 1.3", function()
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

  it("does not negotiate anew, and takes new keys", function()
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

  it("ends with a word on both sides, and an end without one is a cut", function()
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

  it("is bounded by the deadline of connect", function()
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

  it("survives records that are spoiled, at every step", function()
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

  -- T10: of records of 16 KiB, each with 22 bytes around it in 1.3.
  for _, mode in ipairs { { 4, 0 }, { 5, 0 }, { 4, C.MP_COMPRESSION_LZ4 }, { 5, C.MP_COMPRESSION_LZ4 } } do
    it(("knows how much left, cut at any byte: v%d, %s"):format(mode[1], mode[2] == 0 and "plain" or "LZ4"), function()
      math.randomseed(3)
      local noise = {}
      for i = 1, 36000 do noise[i] = string.char(math.random(0, 255)) end
      local texts = { "first", ("s"):rep(900), table.concat(noise), "fourth" }
      local tls = assert(context { ca = "ca.pem", minor = 3 })
      local function begin()
        open { version = mode[1], compression = mode[2], tls = tls }
        local link, node = world:ready()
        node:stop()
        return link, node
      end
      local function burst(link)
        local calls = {}
        for i, text in ipairs(texts) do calls[i] = assert(link:call(text)) end
        return calls
      end
      local function close_world()
        world:close()
        world = nil
      end
      local function inner_end(link) return tonumber(C.mp_output_end(link.conn.out)) end

      -- Where each begins and ends for the peer, counted from the first byte of the burst, before TLS.
      local link = begin()
      local from, start, stop = inner_end(link), {}, {}
      local calls = burst(link)
      for i, call in ipairs(calls) do
        start[i], stop[i] = tonumber(call.handle.start_pos) - from, tonumber(call.handle.end_pos) - from
      end
      local to = inner_end(link)
      if mode[1] == 5 then
        if mode[2] == 0 then to = to + 4 end -- the segment is not sealed yet
        for i = 1, 4 do stop[i] = to - from end
        if mode[2] ~= 0 then for i = 1, 4 do start[i] = 0 end end
      end
      local length = to - from
      close_world()

      local function wire(inner) return inner + 22 * math.ceil(inner / 16384) end -- behind whole records up to there
      local function record_end(at) return wire(math.min(length, (math.floor((at - 1) / 16384) + 1) * 16384)) end
      local function record_begin(at) return wire(math.floor(at / 16384) * 16384) end
      local total, cuts = wire(length), {}
      for i = 1, 4 do
        for _, at in ipairs { record_begin(start[i]), record_end(stop[i]) } do
          for near = -1, 1 do cuts[#cuts + 1] = at + near end
        end
      end
      for at = 1, total, 1511 do cuts[#cuts + 1] = at end
      for _, cut in ipairs(cuts) do
        if cut >= 1 and cut <= total then
          local node
          link, node = begin()
          C.mp_loop_sim_set_buffer(world.loop.handle, cut)
          calls = burst(link)
          world.loop:turn(0)
          world:pass(30)
          for i = 1, 4 do
            local expected = cut >= record_end(stop[i]) and WHOLE or cut > record_begin(start[i]) and PART or NOTHING
            assert.equal(expected, clients.sent(calls[i]), i .. " at " .. cut .. " of " .. total)
          end
          node:close(true)
          world:until_true(function() return link.closed end)
          close_world()
        end
      end
    end)
  end

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
