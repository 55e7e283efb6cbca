-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"

describe("a session", function()
  local world

  local function open(options)
    world = session_world.open(options)
    return world
  end

  local function connected(options)
    world = session_world.connected(options)
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  describe("that connects", function()
    it("knows the cluster and has its core connections up", function()
      connected { config = { local_limits = { core = 2, max = 2 } } }
      local stats = world:stats()
      assert.equal(3, stats.hosts_total)
      assert.equal(3, stats.hosts_up)
      assert.equal(6, stats.connections_total)
      assert.equal(6, stats.connections_idle)
      assert.equal("dc1", ffi.string(C.mp_session_local_dc(world.session)))
      assert.equal("test cluster", ffi.string(C.mp_session_cluster_name(world.session)))
      assert.equal(5, C.mp_session_version(world.session))
    end)

    it("has nothing to complain of while all is well", function()
      open { config = { log_level = tonumber(C.MP_LOG_WARN), discovery_interval_ms = 5000 } }
      local lines = world:hear(C.MP_LOG_WARN)
      assert.is_nil(world:connect())
      for _ = 1, 30 do
        assert.is_nil(world:execute("SELECT v FROM t").err)
        world:pass(1000)
      end
      assert.same({}, lines)
      for _, kind in ipairs { "HOST_DOWN", "HOST_REMOVED", "CONNECTION_LOST", "FAILOVER" } do
        assert.equal(0, world:count(kind), kind)
      end
      assert.equal(3, world:count "HOST_UP")
    end)

    it("knows all keyspaces, however many", function()
      local keyspaces = {}
      for i = 1, 70 do
        keyspaces["ks" .. i] = { class = "org.apache.cassandra.locator.SimpleStrategy", replication_factor = "2" }
      end
      connected { keyspaces = keyspaces }
      world:pass(2000)
      local seen = {}
      for i = 1, 70 do
        local id = C.mp_session_keyspace_id(world.session, require("spec.support.peer").str("ks" .. i))
        assert.is_nil(seen[id])
        seen[id] = true
      end
    end)

    it("tells what happened, in order and outside of the call", function()
      connected()
      assert.equal(3, world:count "HOST_ADDED")
      assert.equal(3, world:count "HOST_UP")
      assert.equal(3, world:count "CONNECTION_ADDED")
      assert.equal(0, world:count "HOST_DOWN")
      assert.equal("HOST_ADDED", world.events[1].kind)
    end)

    it("does not wait for dead contact points", function()
      open {
        nodes = { { dead = true }, { dead = true }, {} },
        contacts = { "127.0.0.1", "127.0.0.2", "127.0.0.3" },
      }
      C.mp_loop_sim_blackhole(world.loop.handle, require("spec.support.sim_world").addr("127.0.0.1", 9042), true)
      local before = world.loop:now_ms()
      assert.is_nil(world:connect())
      assert.is_true(world.loop:now_ms() - before <= 1100, "waited for the dead")
      assert.equal(1, world:up_count())
      assert.equal(3, world:stats().hosts_total)
    end)

    it("fails when every contact point is dead, lists each, and may try again", function()
      open {
        nodes = { { dead = true }, { dead = true }, {} },
        contacts = { "127.0.0.1", "127.0.0.2", "nowhere.example" },
      }
      local err = world:connect()
      assert.equal("NO_HOST_AVAILABLE", err.code)
      assert.equal(3, #err.attempts)
      local text = ""
      for _, attempt in ipairs(err.attempts) do text = text .. attempt.host .. " " .. attempt.message .. "; " end
      for _, part in ipairs { "127.0.0.1:9042", "127.0.0.2:9042", "nowhere.example", "resolved" } do
        assert.is_truthy(text:find(part, 1, true), text)
      end
      assert.is_truthy(err.message:find "127.0.0")
      world:start(world.nodes[1])
      world.nodes[2].member = false
      assert.is_nil(world:connect())
      assert.equal(2, world:up_count())
    end)

    it("resolves contact names, and gives up those that take too long", function()
      open { contacts = { "slow.example" } }
      C.mp_loop_sim_set_resolve_delay(world.loop.handle, 60000000000ULL)
      local before = world.loop:now_ms()
      local err = world:connect()
      assert.equal("RESOLVE_FAILED", err.attempts[1] and ffi.string(C.mp_err_name(err.attempts[1].err)))
      assert.is_true(world.loop:now_ms() - before < 1100)
      C.mp_loop_sim_set_resolve_delay(world.loop.handle, 1000000ULL)
      assert(C.mp_loop_sim_set_name(world.loop.handle, "slow.example", world.nodes[2].addr, 1) == 0)
      assert.is_nil(world:connect())
      assert.equal(3, world:up_count())
    end)

    it("says that credentials are wrong", function()
      open {
        nodes = { { auth = { username = "ana", password = "secret" } } },
        config = { username = "ana", password = "guess" },
      }
      local err = world:connect()
      assert.equal("AUTH_FAILED", err.code)
      assert.is_truthy(err.message:find "incorrect")
    end)

    it("says that the keyspace does not exist", function()
      open { config = { keyspace = "missing" } }
      local err = world:connect()
      assert.equal("INVALID", err.code)
      assert.is_truthy(err.message:find "missing", err.message)
      assert.equal(3, #err.attempts)
    end)

    it("that failed may meet another cluster at its next try", function()
      open { nodes = { {} }, config = { keyspace = "ks" } }
      local node = world.nodes[1]
      node.peer.on.QUERY = function(link, request)
        if not request.cql:find "^USE" then return false end
        link:error(request, C.MP_SE_INVALID, "Keyspace 'ks' does not exist")
        return true
      end
      assert.equal("INVALID", world:connect().code)
      node.peer:close()
      world.cluster_name, node.dc, node.versions = "another", "dc9", { 3, 4 }
      world:listen(node)
      assert.is_nil(world:connect())
      assert.equal("another", ffi.string(C.mp_session_cluster_name(world.session)))
      assert.equal("dc9", ffi.string(C.mp_session_local_dc(world.session)))
      assert.equal(4, C.mp_session_version(world.session))
    end)

    it("names the datacentres when the local one has no host", function()
      open { nodes = { {}, { dc = "dc2" } }, config = { local_dc = "nope" } }
      local err = world:connect()
      assert.equal("NO_HOST_AVAILABLE", err.code)
      for _, part in ipairs { "nope", "dc1", "dc2" } do
        assert.is_truthy(err.message:find(part, 1, true), err.message)
      end
    end)

    it("leaves hosts of other datacentres alone unless told otherwise", function()
      connected { nodes = { {}, {}, { dc = "dc2" } } }
      assert.equal(2, world:up_count())
      assert.equal(C.MP_DISTANCE_IGNORED, world:find("127.0.0.3").distance)
      world:close()
      connected { nodes = { {}, {}, { dc = "dc2" } }, config = { connect_remote = true } }
      assert.equal(3, world:up_count())
      assert.equal(C.MP_DISTANCE_REMOTE, world:find("127.0.0.3").distance)
    end)

    it("may be asked several times at once, and when it is connected already", function()
      open()
      local a, b = world:begin_connect(), world:begin_connect()
      world:until_true(function() return a.done and b.done end)
      assert.is_nil(a.err or b.err)
      assert.is_nil(world:connect())
      for _ = 1, 20 do world:begin_connect() end
      world:pass(10)
      for _, record in ipairs(world.connects) do assert.is_true(record.done) end
    end)

    it("without a contact point is an error", function()
      open { contacts = {} }
      assert.equal("NO_HOST_AVAILABLE", world:connect().code)
    end)
  end)

  describe("that negotiates its version", function()
    local function version_with(versions, config)
      open { nodes = { { versions = versions } }, config = config }
      local err = world:connect()
      return C.mp_session_version(world.session), err
    end

    it("takes 5, 4 or 3, the highest that the node speaks", function()
      assert.equal(5, version_with { 3, 4, 5 })
      world:close()
      assert.equal(4, version_with { 3, 4 })
      world:close()
      assert.equal(3, version_with { 3 })
    end)

    it("never goes below the one that is configured", function()
      local _, err = version_with({ 3, 4 }, { protocol_version = 5 })
      assert.equal("UNSUPPORTED", err.code)
      world:close()
      assert.equal(4, version_with({ 3, 4, 5 }, { protocol_version = 4 }))
    end)

    it("keeps to its version, and speaks a lower one to a node that has no other", function()
      connected { nodes = { {}, { versions = { 3, 4 } }, {} } }
      world:until_true(function() return world:up_count() == 3 end)
      assert.equal(5, C.mp_session_version(world.session))
      assert.equal(4, world:find("127.0.0.2").version)
      for _ = 1, 9 do assert.is_nil(world:execute("SELECT v FROM t").err) end
    end)
  end)

  describe("that closes", function()
    it("does so in every state", function()
      open()
      world:close_session() -- never connected
      world:close()
      open()
      local connect = world:begin_connect()
      world:close_session() -- at once
      assert.equal("CLOSED", connect.err.code)
    end)

    it("is told once for each call, also when it is closed already", function()
      connected()
      for _ = 1, 12 do C.mp_session_close(world.session, 100, world.on_closed, nil) end
      world:until_true(function() return world.closed_count == 12 end)
      world:close_session()
      assert.equal(13, world.closed_count)
      assert.equal(C.MP_ECLOSED, world:submit("SELECT v FROM t").rc)
      assert.equal(C.MP_ECLOSED, world:begin_prepare("SELECT v FROM t").rc)
      assert.equal("CLOSED", world:connect().code)
    end)

    it("lets requests in flight finish, and takes no new ones", function()
      connected()
      world.on_statement = function(node, link, request)
        world.loop:keep(0)
        world.held = function() world:succeed(node, link, request) end
        return true
      end
      local record = world:submit("UPDATE t SET v = 1")
      world:until_true(function() return world.held end)
      C.mp_session_close(world.session, 1000, world.on_closed, nil)
      assert.equal(C.MP_ECLOSED, world:submit("SELECT v FROM t").rc)
      world:pass(500)
      assert.equal(0, world.closed_count)
      world.held()
      world:wait(record)
      assert.is_nil(record.err)
      world:until_true(function() return world.closed_count == 1 end)
    end)

    it("ends what does not finish in time, and does not hide what may have been applied", function()
      connected()
      world.on_statement = function() return true end
      local write, read = world:submit("UPDATE t SET v = 1"), world:submit("SELECT v FROM t")
      world:pass(50)
      local before = world.loop:now_ms()
      C.mp_session_close(world.session, 300, world.on_closed, nil)
      world:until_true(function() return world.closed_count == 1 end)
      assert.is_true(world.loop:now_ms() - before < 400)
      assert.equal("CLOSED", write.err.code)
      assert.is_true(write.err.maybe_applied)
      assert.equal("CLOSED", read.err.code)
      assert.is_false(read.err.maybe_applied)
    end)

    it("may be asked to from any callback", function()
      connected()
      local record = world:submit("SELECT v FROM t", {
        on_done = function() C.mp_session_close(world.session, 0, world.on_closed, nil) end,
      })
      world:until_true(function() return world.closed_count == 1 end)
      assert.is_true(record.done)
      world:close()
      open()
      world.on_event = function()
        if world.asked then return end
        world.asked = true
        C.mp_session_close(world.session, 0, world.on_closed, nil)
      end
      local connect = world:begin_connect()
      world:until_true(function() return connect.done end)
      world:close()
      open()
      connect = world:begin_connect()
      connect.on_done = function() C.mp_session_close(world.session, 0, world.on_closed, nil) end
      world:until_true(function() return world.closed_count == 1 end)
    end)
  end)

  it("gives small numbers to names", function()
    connected()
    local str = require("spec.support.peer").str
    local a = C.mp_session_keyspace_id(world.session, str "one")
    assert.equal(a, C.mp_session_keyspace_id(world.session, str "one"))
    assert.not_equal(a, C.mp_session_keyspace_id(world.session, str "two"))
    assert.equal(0, C.mp_session_keyspace_id(world.session, str ""))
    local tag = C.mp_session_tag_id(world.session, str "scan")
    assert.is_true(tag > 0)
    assert.equal(tag, C.mp_session_tag_id(world.session, str "scan"))
  end)
end)
