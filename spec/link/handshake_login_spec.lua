-- SPDX-License-Identifier: Apache-2.0
-- Who the two sides are: credentials, the identity of cluster and host, and the keyspace.
local C = require "spec.support.c"
local ffi = require "ffi"
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

  describe("with credentials", function()
    it("logs in, on every version", function()
      for version = 3, 5 do
        open { settings = { version = version, auth = good }, peer = { auth = good } }
        local link, node = world:ready()
        assert.same({ "\0ana\0secret" }, node.tokens)
        local call = link:call "after"
        world:until_true(function() return #node.requests == 1 end)
        node:echo(node.requests[1])
        world:until_true(function() return call.rc end)
        assert.equal("after", call.text)
        world:close()
      end
      world = nil
    end)

    it("leaves no password in the write buffer", function()
      open { settings = { auth = good }, peer = { auth = good } }
      local link = world:ready()
      local buf = link.conn.out.buf
      assert.is_true(buf.cap > 0)
      assert.is_nil(ffi.string(buf.data, buf.cap):find("secret", 1, true))
    end)

    it("is refused when they are wrong", function()
      open { settings = { auth = { username = "ana", password = "guess" } }, peer = { auth = good } }
      local ended = world:refused()
      assert.equal(REASON.AUTH, ended.reason)
      assert.equal(C.MP_EAUTH, ended.err)
      assert.equal(0x100, ended.server_code)
      assert.truthy(ended.message:find("incorrect", 1, true))
      assert.is_nil(ended.message:find("guess", 1, true))
    end)

    it("is refused when none are configured", function()
      open { peer = { auth = good } }
      local ended = world:refused()
      assert.equal(REASON.AUTH, ended.reason)
      assert.truthy(ended.message:find("PasswordAuthenticator", 1, true))
    end)

    it("does not trust a node that does not ask for them", function()
      open { settings = { auth = good } }
      local ended = world:refused()
      assert.equal(REASON.AUTH, ended.reason)
      assert.equal(2, #world.peer:last().seen)
      assert.truthy(ended.message:find("auth.required", 1, true)) -- the cure
    end)

    for version = 3, 5 do
      it("uses a node that does not ask for them if it may, and says so, on v" .. version, function()
        open { settings = { version = version, auth = good, auth_optional = true, keyspace = "ks" } }
        local lines = {}
        local log = C.mp_loop_log(world.loop.handle)
        log.level = C.MP_LOG_WARN
        log.sink = world.loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, _, line)
          lines[#lines + 1] = ffi.string(line)
        end)
        world:ready()
        log.level, log.sink = C.MP_LOG_OFF, nil
        assert.equal(1, #lines)
        assert.matches("127.0.0.1:9042#%d+: the node asks for no password", lines[1])
      end)

      it("gives them to a node that asks, also if they may be left out, on v" .. version, function()
        open { settings = { version = version, auth = good, auth_optional = true }, peer = { auth = good } }
        world:ready()
        assert.equal("\0ana\0secret", world.peer:last().tokens[1])
      end)
    end

    it("does not let wrong ones pass where they may be left out", function()
      local guess = { username = "ana", password = "guess" }
      open { settings = { auth = guess, auth_optional = true }, peer = { auth = good } }
      assert.equal(REASON.AUTH, world:refused().reason)
    end)

    local function responder(token)
      return { respond = world.loop:callback("int (*)(void *, struct mp_auth_exchange *, const struct mp_bytes *, " ..
        "struct mp_buf *)", function(_, _, _, out)
        C.mp_buf_bytes(out, token, #token)
        return 0
      end) }
    end

    it("ends after eight rounds", function()
      open { peer = { auth = { username = "", password = "", challenges = 1000 } } }
      world.client.settings = world.client:make_settings { auth = responder "again" }
      local ended = world:refused()
      assert.equal(REASON.AUTH, ended.reason)
      assert.equal(8, #world.peer:last().tokens)
    end)

    it("goes through several rounds where they lead somewhere", function()
      open { peer = { auth = { username = "", password = "", challenges = 7 } } }
      world.client.settings = world.client:make_settings { auth = responder "again" }
      world:ready()
      assert.equal(8, #world.peer:last().tokens)
    end)

    it("refuses a giant challenge", function()
      open { settings = { auth = good }, peer = { auth = { username = "", password = "", challenges = 1,
        challenge = ("x"):rep(70000) } } }
      assert.equal(REASON.PROTOCOL, world:refused().reason)
    end)

    it("refuses a giant token of its own", function()
      open { peer = { auth = good } }
      world.client.settings = world.client:make_settings { auth = responder(("x"):rep(65537)) }
      assert.equal(REASON.AUTH, world:refused().reason)
    end)

    it("has no answer to a challenge when it only knows PLAIN", function()
      open { settings = { auth = good }, peer = { auth = { username = "", password = "", challenges = 1 } } }
      assert.equal(REASON.AUTH, world:refused().reason)
    end)
  end)

  describe("with an exchange of the client's own", function()
    -- Counts what is asked of it; `at` is where it does something else: { respond = fn, accept = fn }.
    local function counted(at)
      local asked = { respond = 0, accept = 0, ended = 0, rounds = {} }
      local signature = "int (*)(void *, struct mp_auth_exchange *, const struct mp_bytes *"
      local auth = {
        respond = world.loop:callback(signature .. ", struct mp_buf *)", function(_, exchange, _, out)
          asked.respond = asked.respond + 1
          asked.rounds[asked.respond] = exchange.round
          asked.class = ffi.string(exchange.authenticator)
          C.mp_buf_bytes(out, "again", 5)
          return at.respond and at.respond(exchange, asked) or 0
        end),
        accept = world.loop:callback(signature .. ")", function(_, exchange)
          asked.accept = asked.accept + 1
          return at.accept and at.accept(exchange, asked) or 0
        end),
        finish = world.loop:callback("void (*)(void *, struct mp_auth_exchange *)", function()
          asked.ended = asked.ended + 1
        end),
      }
      world.client.settings = world.client:make_settings { auth = auth }
      return asked
    end
    local challenged = { peer = { auth = { username = "", password = "", challenges = 3 } } }
    local link

    local function refuses(at, pattern)
      open(challenged)
      local asked = counted(at)
      local ended = world:refused()
      assert.matches(pattern, ended.message)
      assert.equal(asked.respond > 0 and 1 or 0, asked.ended)
      world:close()
      return asked
    end

    it("is asked in rounds, then told of the success, and ends once", function()
      open(challenged)
      local asked = counted {}
      world:ready()
      assert.same({ 4, 1, 1, { 1, 2, 3, 4 } }, { asked.respond, asked.accept, asked.ended, asked.rounds })
      assert.matches("Authenticator$", asked.class)
    end)

    it("ends once wherever it gives up", function()
      for round = 1, 4 do
        refuses({ respond = function(exchange) return exchange.round == round and C.MP_EAUTH or 0 end },
          round == 1 and "no answer to .*Authenticator" or "no answer to the challenge")
        local asked = refuses({ respond = function(exchange)
          if exchange.round ~= round then return 0 end
          ffi.copy(exchange.why, "the vault is sealed")
          return C.MP_EAUTH
        end }, "^the vault is sealed$")
        assert.equal(round, asked.respond)
        refuses({ respond = function(exchange) return exchange.round == round and C.MP_ENOMEM or 0 end },
          "out of memory")
      end
      refuses({ accept = function() return C.MP_EAUTH end }, "the node's proof is not taken")
      world = nil
    end)

    it("ends once when the connection is closed inside of it, or while it goes on", function()
      for round = 1, 5 do
        open(challenged)
        local function close() link:close() end
        local asked = counted { respond = function(exchange) return exchange.round == round and close() or 0 end,
          accept = round == 5 and close or nil }
        link = world.client:open(world.addr)
        world:until_true(function() return link.closed end)
        assert.equal(REASON.ASKED, link.closed.reason)
        assert.equal(1, asked.ended)
        world:close()
      end
      open { peer = { auth = { username = "", password = "", challenges = 3, silent = true } } }
      local asked = counted {}
      link = world.client:open(world.addr)
      world:until_true(function() return asked.respond == 1 end)
      link:close()
      world:until_true(function() return link.closed end)
      assert.equal(1, asked.ended)
    end)
  end)

  describe("with an identity to check", function()
    it("passes where the cluster and the host are the right ones", function()
      open { settings = { cluster_name = "test cluster" } }
      world:ready { host_id = ("h"):rep(16) }
      assert.same({ "OPTIONS", "STARTUP", "QUERY" }, world.peer:last().seen)
    end)

    it("refuses another cluster before anything else is sent", function()
      open { settings = { cluster_name = "production", keyspace = "ks" } }
      local ended = world:refused()
      assert.equal(REASON.IDENTITY, ended.reason)
      assert.equal(C.MP_ECLUSTER, ended.err)
      assert.truthy(ended.message:find('"test cluster"', 1, true))
      assert.truthy(ended.message:find('"production"', 1, true))
      assert.is_nil(world.peer:last().used)
    end)

    it("refuses another node", function()
      open()
      assert.equal(REASON.IDENTITY, world:refused({ host_id = ("x"):rep(16) }).reason)
    end)

    it("asks for nothing when there is nothing to check", function()
      open()
      world:ready { host_id = ("\0"):rep(16) }
      assert.same({ "OPTIONS", "STARTUP" }, world.peer:last().seen)
    end)

    it("refuses a node that does not know who it is", function()
      open { settings = { cluster_name = "test cluster" }, peer = { on = { QUERY = function(link, request)
        link:echo(request, "a keyspace?")
        return true
      end } } }
      assert.equal(REASON.PROTOCOL, world:refused().reason)
    end)
  end)

  describe("with a keyspace", function()
    it("uses it, quoted as it is written", function()
      for given, seen in pairs { plain = "plain", MixedCase = "MixedCase", ['we"ird'] = 'we""ird' } do
        open { settings = { keyspace = given } }
        world:ready()
        assert.equal(seen, world.peer:last().used)
        world:close()
      end
      world = nil
    end)

    it("ends with the node's words when it does not exist", function()
      open { settings = { keyspace = "missing" } }
      local ended = world:refused()
      assert.equal(REASON.KEYSPACE, ended.reason)
      assert.equal(0x2200, ended.server_code)
      assert.truthy(ended.message:find('the keyspace "missing" cannot be used: ', 1, true))
      assert.truthy(ended.message:find("does not exist", 1, true))
    end)

    it("is not ready before the node confirmed it", function()
      local use
      open { settings = { keyspace = "ks" }, peer = { on = { QUERY = function(_, request)
        use = request
        return true
      end } } }
      local link = world.client:open(world.addr)
      world:until_true(function() return use end)
      world:pass(1000)
      assert.is_nil(link.ready)
      local _, rc = link:call "too early"
      assert.equal(C.MP_ECLOSED, rc)
      world.peer:last():echo(use, "ks")
      world:until_true(function() return link.ready end)
    end)
  end)
end)
