-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local link_world = require "spec.support.link_world"

local REASON = {}
for _, name in ipairs { "ASKED", "CONNECT", "HANDSHAKE_TIMEOUT", "VERSION", "AUTH", "HANDSHAKE", "KEYSPACE",
  "IDENTITY", "PEER", "LOST", "PROTOCOL", "LOCAL" } do
  REASON[name] = tonumber(C["MP_CLOSE_" .. name])
end

local good = { username = "ana", password = "secret" }

describe("the handshake", function()
  local world

  local function open(options)
    world = link_world.open(options)
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  for version = 3, 5 do
    it("reaches ready on protocol version " .. version .. " and answers a request there", function()
      open { settings = { version = version } }
      local link, node = world:ready()
      assert.equal(version, C.mp_conn_version(link.conn))
      local call = link:call "hello"
      world:until_true(function() return #node.requests == 1 end)
      assert.equal("hello", node.requests[1].cql)
      node:echo(node.requests[1])
      world:until_true(function() return call.rc end)
      assert.equal("hello", call.text)
      assert.same({ "OPTIONS", "STARTUP", "QUERY" }, node.seen)
      assert.is_true(C.mp_conn_open_us(link.conn) > 0)
    end)
  end

  it("names itself, and asks an overloaded node to say so from version 4 on", function()
    for version = 3, 5 do
      open { settings = { version = version } }
      local _, node = world:ready()
      assert.truthy(node.startup:find("CQL_VERSION\0\0053.0.0", 1, true))
      assert.truthy(node.startup:find("DRIVER_NAME\0\008moonpool", 1, true))
      assert.truthy(node.startup:find("DRIVER_VERSION", 1, true))
      assert.equal(version >= 4, node.startup:find("THROW_ON_OVERLOAD", 1, true) ~= nil)
      world:close()
    end
    world = nil
  end)

  it("works however the bytes are cut", function()
    for version = 4, 5 do
      for chunk = 1, 12 do
        open { settings = { version = version, keyspace = "ks", cluster_name = "test cluster", auth = good },
          peer = { auth = good } }
        C.mp_loop_sim_set_chunk(world.loop.handle, chunk)
        local link, node = world:ready { register = true, host_id = ("h"):rep(16) }
        assert.equal("ks", node.used)
        assert.is_true(node.registered)
        assert.is_truthy(link.ready)
        world:close()
      end
    end
    world = nil
  end)

  it("works however short the writes are", function()
    for version = 4, 5 do
      for _, size in ipairs { 1, 2, 5, 11, 40 } do
        open { settings = { version = version, keyspace = "ks", cluster_name = "test cluster", auth = good },
          peer = { auth = good } }
        C.mp_loop_sim_set_buffer(world.loop.handle, size)
        world:ready { register = true }
        assert.same({ "\0ana\0secret" }, world.peer:last().tokens)
        world:close()
      end
    end
    world = nil
  end)

  it("that fails leaves nothing behind, however often", function()
    open { settings = { auth = { username = "ana", password = "guess" } }, peer = { auth = good } }
    for _ = 1, 500 do world:refused() end
    world:pass(100)
    assert.equal(0, #world.peer:open_links())
    local census = world.loop:census()
    assert.same({ 0, 0, 0 }, { tonumber(census.sockets), tonumber(census.timers), tonumber(census.tasks) })
  end)

  describe("with a node that refuses the version", function()
    local function refused(message, answered, wanted)
      open { settings = { version = wanted or 5 },
        peer = { versions = { 3, 4 }, version_message = message, version_answered = answered } }
      if wanted == 4 then world.peer.versions = { [3] = true } end
      return world:refused()
    end

    it("understands Cassandra 3.11's words about a beta", function()
      local ended = refused("Beta version of the protocol used (5/v5-beta), but USE_BETA flag is unset", 5)
      assert.equal(REASON.VERSION, ended.reason)
      assert.equal(4, ended.version_hint)
      assert.equal(0x0a, ended.server_code)
    end)

    it("understands a list of versions, betas left out", function()
      local ended = refused(
        "Invalid or unsupported protocol version (5); supported versions are (3/v3, 4/v4, 6/v6-beta)", 5)
      assert.equal(REASON.VERSION, ended.reason)
      assert.equal(4, ended.version_hint)
      assert.is_false(ended.was_ready)
    end)

    it("understands the greatest version", function()
      local ended = refused(
        "Invalid or unsupported protocol version (5); the lowest supported version is 3 and the greatest is 4", 4)
      assert.equal(4, ended.version_hint)
    end)

    it("takes the version of the answer for a hint when the words say nothing", function()
      local ended = refused("no", 3)
      assert.equal(REASON.VERSION, ended.reason)
      assert.equal(3, ended.version_hint)
    end)

    it("is given no hint that does not lead downwards", function()
      local ended = refused("Invalid or unsupported protocol version (5); supported versions are (5/v5, 6/v6)", 5)
      assert.equal(REASON.VERSION, ended.reason)
      assert.equal(0, ended.version_hint)
    end)

    it("notices an answer in a version that nobody here speaks", function()
      open { peer = { on = { OPTIONS = function(link)
        link:raw "\x82\0\0\0\0\0\0\0\0"
        return true
      end } } }
      local ended = world:refused()
      assert.equal(REASON.VERSION, ended.reason)
      assert.equal(0, ended.version_hint)
    end)

    it("believes the list in SUPPORTED", function()
      open { peer = { listed = { "6/v6-beta", "5/v5-beta" } } }
      world.peer.listed = { "3/v3", "4/v4", "5/v5-beta" }
      local ended = world:refused()
      assert.equal(REASON.VERSION, ended.reason)
      assert.equal(4, ended.version_hint)
    end)
  end)

  it("registers for events when asked, and passes them on", function()
    open()
    local link, node = world:ready { register = true }
    assert.is_true(node.registered)
    node:event()
    node:event()
    world:until_true(function() return link.events == 2 end)
  end)

  it("ignores and counts events that nobody asked for", function()
    open()
    local link, node = world:ready()
    node:event()
    local call = link:call "x"
    world:until_true(function() return #node.requests == 1 end)
    node:echo(node.requests[1])
    world:until_true(function() return call.rc end)
    assert.equal(0, link.events)
    assert.equal(1, tonumber(link.conn.events_ignored))
  end)

  local waiting = { OPTIONS = "the answer to OPTIONS", STARTUP = "the answer to STARTUP",
    AUTH_RESPONSE = "the authentication", QUERY = "the node's identity", REGISTER = "the answer to REGISTER" }

  describe("with a node that falls silent", function()
    local steps = { "OPTIONS", "STARTUP", "AUTH_RESPONSE", "QUERY", "REGISTER" }
    for _, step in ipairs(steps) do
      it("at " .. step .. " ends at the one deadline", function()
        open { settings = { auth = good, keyspace = "ks", cluster_name = "test cluster", connect_timeout_ms = 700 },
          peer = { auth = good, on = { [step] = function() return true end } } }
        local before = world.loop:now_ms()
        local ended = world:refused { register = true }
        assert.equal(REASON.HANDSHAKE_TIMEOUT, ended.reason)
        assert.equal(C.MP_ETIMEOUT, ended.err)
        assert.equal("no handshake within 700 ms: it waits for " .. waiting[step], ended.message)
        local took = world.loop:now_ms() - before
        assert.is_true(took >= 690 and took < 760, took)
      end)
    end

    it("after the connection ends at the deadline", function()
      open { settings = { connect_timeout_ms = 300 }, peer = { deaf = true } }
      local ended = world:refused()
      assert.equal(REASON.HANDSHAKE_TIMEOUT, ended.reason)
      assert.equal("no handshake within 300 ms: it waits for the answer to OPTIONS", ended.message)
    end)

    it("before the connection, a black hole, ends at the deadline", function()
      open { settings = { connect_timeout_ms = 300 } }
      assert.equal(0, C.mp_loop_sim_blackhole(world.loop.handle, world.addr, true))
      local ended = world:refused()
      assert.equal(REASON.HANDSHAKE_TIMEOUT, ended.reason)
      assert.equal("no handshake within 300 ms: it waits for the connection", ended.message)
      C.mp_loop_sim_blackhole(world.loop.handle, world.addr, false)
    end)

    it("and drips one byte now and then ends at the deadline too", function()
      open { settings = { connect_timeout_ms = 1000 }, peer = { deaf = true } }
      local link = world.client:open(world.addr)
      local answer = "\x85\0\0\0\x06\0\0\x03\xe8" .. ("\0"):rep(1000)
      for at = 1, 30 do
        world:pass(50)
        if not link.closed then world.peer:last():raw(answer:sub(at, at)) end
      end
      assert.equal(REASON.HANDSHAKE_TIMEOUT, link.closed.reason)
    end)
  end)

  describe("with a node that hangs up", function()
    for _, step in ipairs { "OPTIONS", "STARTUP", "AUTH_RESPONSE", "QUERY", "REGISTER" } do
      it("at " .. step .. " ends at once", function()
        for reset = 0, 1 do
          open { settings = { auth = good, keyspace = "ks", cluster_name = "test cluster" },
            peer = { auth = good, on = { [step] = function(link)
              link:close(reset == 1)
              return true
            end } } }
          local ended = world:refused { register = true }
          assert.equal(reset == 1 and REASON.LOST or REASON.PEER, ended.reason)
          assert.equal(C.MP_ELOST, ended.err)
          world:close()
        end
        world = nil
      end)
    end
  end)

  it("tells a refused connection from one this machine could not make", function()
    open { peer = false }
    local ended = world:refused()
    assert.equal(REASON.CONNECT, ended.reason)
    assert.equal(C.MP_EREFUSED, ended.err)
    assert.equal(0, C.mp_loop_sim_fail_local(world.loop.handle, world.addr, true))
    local told, at_once = 0, 0
    for _ = 1, 20 do
      local link, rc = world.client:open(world.addr)
      if link then
        world:until_true(function() return link.closed end)
        assert.equal(REASON.LOCAL, link.closed.reason)
        assert.equal(C.MP_ELOCAL, link.closed.err)
        told = told + 1
      else
        assert.equal(C.MP_ELOCAL, rc)
        at_once = at_once + 1
      end
    end
    assert.is_true(told > 0 and at_once > 0)
  end)

  describe("with a stranger on the port", function()
    local function stranger(bytes)
      open { peer = { deaf = true, on_accept = function(link) link:raw(bytes) end } }
      local ended = world:refused()
      assert.equal(REASON.PROTOCOL, ended.reason)
      assert.equal(C.MP_EPROTO, ended.err)
      return ended.message
    end

    it("shows what a web server said", function()
      local message = stranger "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"
      assert.equal("unsupported protocol version 72 (first byte 0x48); an HTTP server?; the node sent "
        .. [["HTTP/1.1 400 Bad Request\x0d\x0aServer"]], message)
    end)

    it("shows a TLS alert", function()
      local message = stranger "\x15\x03\x03\0\x02\x02\x46"
      assert.equal([[unsupported protocol version 21 (first byte 0x15); a TLS port?; the node sent ]] ..
        [["\x15\x03\x03\x00\x02\x02F"]], message)
    end)

    it("shows bytes that could harm a terminal as numbers", function()
      local message = stranger '\x1b[2Jgarbage\0"\\'
      assert.truthy(message:find([[\x1b[2Jgarbage\x00\x22\x5c]], 1, true), message)
      assert.is_nil(message:find "[%z\1-\31\127-\255]")
    end)

    it("takes no memory for a body that is announced before the handshake is over", function()
      for _, length in ipairs { "\127\255\255\255", "\255\255\255\255", "\0\1\0\1" } do
        open { peer = { on = { OPTIONS = function(link)
          link:raw("\x85\0\0\0\x06" .. length)
          return true
        end } } }
        local ended = world:refused()
        assert.equal(REASON.PROTOCOL, ended.reason)
        assert.truthy(ended.message:find("over the limit", 1, true), ended.message)
        world:close()
      end
      world = nil
    end)

    it("reads as many options as there may be, and none that are not there", function()
      local function u16(n) return string.char(math.floor(n / 256), n % 256) end
      local function supported(body)
        open { peer = { on = { OPTIONS = function(link, request)
          link.owed[request.stream] = nil
          link:raw("\x85\0\0\0\x06\0\0" .. u16(#body) .. body)
          return true
        end } } }
      end
      supported(u16(8000) .. ("\0\4name\0\0"):rep(7999) .. "\0\17PROTOCOL_VERSIONS\0\1\0\0045/v5")
      world:ready()
      for _, body in ipairs { "\255\255", "\0\1\0\4name\255\255", u16(8000) .. ("\0\4name\0\0"):rep(7999), "", "\0" } do
        world:close()
        supported(body)
        local ended = world:refused()
        assert.equal(REASON.PROTOCOL, ended.reason)
        assert.equal("an unreadable SUPPORTED while waiting for " .. waiting.OPTIONS, ended.message)
      end
    end)
  end)

  describe("with a node that answers nonsense", function()
    local function answer_with(step, fill)
      open { settings = { auth = step == "AUTH_RESPONSE" and good or nil, cluster_name = "test cluster" },
        peer = { auth = step == "AUTH_RESPONSE" and good or nil, on = { [step] = function(link, request)
          fill(link, request)
          return true
        end } } }
      return world:refused { register = true }
    end

    it("refuses the wrong kind of answer at every step", function()
      for _, step in ipairs { "OPTIONS", "STARTUP", "AUTH_RESPONSE", "QUERY", "REGISTER" } do
        local came = step == "STARTUP" and "SUPPORTED" or step == "QUERY" and "READY" or "RESULT"
        local ended = answer_with(step, function(link, request)
          if step == "STARTUP" then
            link:supported(request, { "5/v5" })
          elseif step == "QUERY" then
            link:ready(request)
          else
            link:echo(request, "what?")
          end
        end)
        assert.equal(REASON.PROTOCOL, ended.reason, step)
        assert.equal(came .. " while waiting for " .. waiting[step], ended.message)
        world:close()
      end
      world = nil
    end)

    it("refuses an answer on another stream", function()
      local ended = answer_with("STARTUP", function(link, request)
        request.stream = 7
        link:ready(request)
      end)
      assert.equal(REASON.PROTOCOL, ended.reason)
    end)

    it("refuses bodies that are cut short", function()
      for _, opcode in ipairs { 0x00, 0x03, 0x06, 0x08 } do
        local step = opcode == 0x03 and "STARTUP" or opcode == 0x08 and "QUERY" or "OPTIONS"
        local ended = answer_with(step, function(link)
          link:raw(link:framed("\x85\0\0\0" .. string.char(opcode) .. "\0\0\0\1\255"))
        end)
        assert.equal(REASON.PROTOCOL, ended.reason)
        world:close()
      end
      world = nil
    end)

    it("closes with the node's error", function()
      local ended = answer_with("STARTUP", function(link, request)
        link:error(request, C.MP_SE_IS_BOOTSTRAPPING, "not\nyet")
      end)
      assert.equal(REASON.HANDSHAKE, ended.reason)
      assert.equal(0x1002, ended.server_code)
      assert.truthy(ended.message:find("not yet", 1, true), ended.message)
    end)
  end)

  it("can be closed at any time, and then says only that", function()
    for after_ms = 0, 8 do
      open { settings = { auth = good, keyspace = "ks", cluster_name = "test cluster" }, peer = { auth = good } }
      local link = world.client:open(world.addr, { register = true })
      if after_ms > 0 then world.loop:pass(after_ms / 2) end
      link:close(C.MP_CLOSE_ASKED, "enough")
      link:close(C.MP_CLOSE_LOST, "again")
      assert.is_nil(link.closed)
      world:until_true(function() return link.closed end)
      assert.equal(REASON.ASKED, link.closed.reason)
      assert.equal("enough", link.closed.message)
      world:close()
    end
    world = nil
  end)

  it("fails cleanly at every allocation", function()
    local reached
    for nth = 1, 400 do
      open { settings = { auth = good, keyspace = "ks", cluster_name = "test cluster" }, peer = { auth = good } }
      C.mp_mem_fail_at(nth, false)
      local link, rc = world.client:open(world.addr, { register = true })
      if link then
        world:until_true(function() return link.ready or link.closed end)
        if link.closed then reached = nth end
      else
        assert.is_true(rc == C.MP_ENOMEM or rc == C.MP_ELOCAL)
      end
      C.mp_mem_fail_at(0, false)
      local done = link and link.ready and nth > 100
      world:close()
      if done then break end
    end
    assert.is_true(reached ~= nil)
    world = nil
  end)
end)
