-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

describe("the topology", function()
  local world

  local function connected(options)
    world = session_world.connected(options)
    world:pass(1500) -- the second look
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function host_id(ip) return ffi.string(world:find(ip).host_id.bytes, 16) end

  describe("that is read", function()
    it("is read once more a moment after the control connection stands", function()
      world = session_world.connected()
      assert.equal(1, world.refreshes)
      world:add_node()
      world:until_true(function() return world:up_count() == 4 end, 2000)
      assert.equal(2, world.refreshes)
    end)

    it("falls back to system.peers where there is no other", function()
      local old = { versions = { 3, 4 }, old_peers = true }
      connected { nodes = { old, { versions = { 3, 4 } }, { versions = { 3, 4 } } } }
      assert.equal(3, world:up_count())
      assert.is_true(world.session.topology.old_peers)
    end)

    it("is read again from time to time, when that is wanted", function()
      connected { config = { discovery_interval_ms = 5000 } }
      local before = world.refreshes
      world:pass(20000)
      assert.is_true(world.refreshes - before >= 3 and world.refreshes - before <= 5)
      world:close()
      connected()
      before = world.refreshes
      world:pass(20000)
      assert.equal(before, world.refreshes)
    end)

    -- Every subset of what a row may lack: without an id it is nobody's, everything else costs what it is good for.
    it("needs a host id of a row and an address, and nothing else (G9)", function()
      local fields = { "host_id", "dc", "rack", "tokens", "native_port", "peer" }
      for mask = 0, 63 do
        world = session_world.open { nodes = { {}, {} } }
        for bit, field in ipairs(fields) do
          if math.floor(mask / 2 ^ (bit - 1)) % 2 == 1 then world.nodes[2].says[field] = false end
        end
        assert.is_nil(world:connect())
        assert.equal(mask % 2 == 0 and 2 or 1, world:stats().hosts_total, "mask " .. mask)
        world:until_true(function() return world:up_count() == world:stats().hosts_total end)
        world:close()
      end
      world = nil
    end)

    it("counts hosts that do not say their datacentre as local while no other one is", function()
      world = session_world.open { nodes = { {}, {} }, config = { local_dc = "dc1" } }
      for _, node in ipairs(world.nodes) do node.dc = false end
      assert.is_nil(world:connect())
      world:until_true(function() return world:up_count() == 2 end)
      assert.is_nil(world:execute("SELECT v FROM t").err)
      assert.equal("unknown", ffi.string(world:find("127.0.0.1").dc))
      world.nodes[2].dc = "dc1"
      C.mp_topology_want(world.session.topology, true, false, 0)
      world:until_true(function() return ffi.string(world:find("127.0.0.2").dc) == "dc1" end)
      world:pass(100)
      for _ = 1, 4 do assert.equal("127.0.0.2:9042", world:execute("SELECT v FROM t").host) end
      assert.equal(2, world:up_count())
      world.nodes[2].dc = false -- known once, it is known
      C.mp_topology_want(world.session.topology, true, false, 0)
      world:pass(100)
      for _ = 1, 4 do assert.equal("127.0.0.2:9042", world:execute("SELECT v FROM t").host) end
    end)

    it("finds a node without a usable address by how its neighbours call it", function()
      for _, address in ipairs { false, rows.inet "0.0.0.0", rows.inet "::" } do
        world = session_world.open { nodes = { {}, {} } }
        world.nodes[2].says.native_address = address
        world.nodes[2].says.native_port = false
        assert.is_nil(world:connect())
        assert.equal(2, world:up_count())
        world:close()
      end
      world = session_world.open { nodes = { {}, {} } }
      world.nodes[2].says.native_address = false
      world.nodes[2].says.peer = false
      assert.is_nil(world:connect())
      assert.equal(1, world:stats().hosts_total)
    end)

    it("takes the address it was asked at for a node that does not know its own", function()
      for _, address in ipairs { false, rows.inet "0.0.0.0" } do
        world = session_world.open { nodes = { { port = 9999 } }, config = { port = 9999 } }
        world.nodes[1].says.rpc_address = address
        world.nodes[1].says.rpc_port = false
        assert.is_nil(world:connect())
        assert.is_truthy(world:find "127.0.0.1:9999")
        world:close()
      end
      world = nil
    end)

    it("knows a host once, however many rows name it", function()
      connected { nodes = { {}, {} } }
      world.extra_peers = {
        setmetatable({ ip = "127.0.0.7" }, { __index = world.nodes[2] }), -- the same node at another address
        setmetatable({}, { __index = world.nodes[1] }),                   -- the one that is asked
      }
      C.mp_topology_want(world.session.topology, true, false, 0)
      world:pass(100)
      assert.equal(2, world:stats().hosts_total)
      assert.is_truthy(world:find "127.0.0.2")
      assert.equal(2, world:up_count())
    end)

    it("refuses a node that does not say who it is, and asks another", function()
      world = session_world.open { nodes = { {}, {} }, contacts = { "127.0.0.1", "127.0.0.2" } }
      world.nodes[1].says.local_empty = true
      assert.is_nil(world:connect())
      assert.equal(world.nodes[2], (world:control_node()))
    end)

    it("goes on with the next contact point when the system tables cannot be read", function()
      world = session_world.open { nodes = { {}, {} }, contacts = { "127.0.0.1", "127.0.0.2" } }
      world.nodes[1].peer.on.QUERY = function(link, request)
        if not request.cql:find "system.peers" then return false end
        link:error(request, C.MP_SE_SERVER_ERROR, "java.lang.Error")
        return true
      end
      assert.is_nil(world:connect())
      assert.equal(world.nodes[2], (world:control_node()))
      world:close()
      world = session_world.open { nodes = { {} } }
      world.nodes[1].peer.on.QUERY = function(_, request) return request.cql:find "FROM system.local WHERE" ~= nil end
      local err = world:connect()
      assert.equal("NO_HOST_AVAILABLE", err.code)
      assert.is_truthy(err.message:find "system.local", err.message)
    end)
  end)

  describe("that changes", function()
    it("gains the nodes that events announce", function()
      connected()
      local added = world:add_node()
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", added)
      world:until_true(function() return world:up_count() == 4 end, 3000)
      assert.equal(1, world:count("HOST_ADDED", "127.0.0.4:9042"))
    end)

    it("gains a node that is announced as up only", function()
      connected()
      local added = world:add_node()
      world:event(world.nodes[1], "STATUS_CHANGE", "UP", added)
      world:until_true(function() return world:up_count() == 4 end, 3000)
    end)

    it("loses a node that is named no more, without losing its requests", function()
      connected()
      world.nodes[3].member = false
      local held
      world.on_statement = function(node, link, request)
        if node ~= world.nodes[3] then return end
        held = function() world:succeed(node, link, request) end
        return true
      end
      local record = world:submit("UPDATE t SET v = 1", { pinned_host = world:find("127.0.0.3").index })
      world:until_true(function() return held end)
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "REMOVED_NODE", world.nodes[3])
      world:until_true(function() return world:count "HOST_REMOVED" == 1 end, 3000)
      assert.equal(2, world:stats().hosts_total)
      assert.is_false(record.done or false)
      assert.is_nil(world:find "127.0.0.3")
      held()
      world:wait(record)
      assert.is_nil(record.err)
      world:pass(100)
      assert.is_true(C.mp_session_host_slot(world.session, 2) == nil)
    end)

    it("reuses slots under a new generation", function()
      connected()
      local slot = world:find("127.0.0.3").index
      local generation = world.session.view.hosts[slot].generation
      world.nodes[3].member = false
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "REMOVED_NODE", world.nodes[3])
      world:until_true(function() return C.mp_session_host_slot(world.session, slot) == nil end, 3000)
      local added = world:add_node()
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", added)
      world:until_true(function() return world:up_count() == 3 end, 5000)
      assert.equal(slot, world:find("127.0.0.4").index)
      assert.equal(generation + 1, world.session.view.hosts[slot].generation)
    end)

    it("follows a node to its new address, by its host id", function()
      connected()
      local node, index = world.nodes[2], world:find("127.0.0.2").index
      local requests = world:stats().hosts_total
      node.peer:close()
      node.ip = "127.0.0.12"
      world:listen(node)
      world:event(world.nodes[1], "STATUS_CHANGE", "UP", node)
      world:until_true(function() return world:find "127.0.0.12" end, 3000)
      assert.equal(requests, world:stats().hosts_total)
      assert.equal(index, world:find("127.0.0.12").index)
      world:until_true(function() return world:up_count() == 3 end)
      assert.equal(0, world:count "HOST_REMOVED")
      assert.equal(0, world:count("HOST_DOWN", "127.0.0.1:9042"))
      assert.equal(0, world:count("HOST_DOWN", "127.0.0.3:9042"))
      local record = world:execute("SELECT v FROM t", { pinned_host = index })
      assert.equal("127.0.0.12", record.rows[1][1])
    end)

    it("takes another node at an old address for a new host", function()
      connected()
      local node = world.nodes[2]
      world:kill(node)
      node.host_id = ("n"):rep(16)
      world:start(node)
      world:until_true(function() return world:count("HOST_ADDED", "127.0.0.2:9042") == 2 end)
      assert.equal(1, world:count("HOST_REMOVED", "127.0.0.2:9042"))
      world:until_true(function() return world:up_count() == 3 end)
      assert.equal(("n"):rep(16), host_id "127.0.0.2")
    end)

    it("refuses a node of another cluster at a known address", function()
      connected()
      local node = world.nodes[2]
      world:kill(node)
      world:until_true(function() return world:count "HOST_DOWN" == 1 end)
      node.peer = require("spec.support.peer").listen(world.loop, node.addr, {
        cluster_name = "somebody else's", host_id = node.host_id,
        on_request = function() error "a request reached the wrong cluster" end,
      })
      world:pass(20000)
      assert.equal(2, world:up_count())
      for _ = 1, 6 do assert.is_nil(world:execute("SELECT v FROM t").err) end
      assert.is_truthy(ffi.string(world:find("127.0.0.2").down_why):find "somebody else's")
    end)

    it("keeps the hosts it knows when a node suddenly names no other (G9)", function()
      connected()
      world.no_peers = true
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "MOVED_NODE", world.nodes[2])
      world:pass(1500)
      assert.equal(3, world:stats().hosts_total)
      world:pass(20000)
      assert.equal(3, world:stats().hosts_total) -- their connections work
      world:kill(world.nodes[3])
      world:until_true(function() return world:stats().hosts_total == 2 end)
      assert.equal(2, world:up_count())
    end)

    it("keeps even a host that is down until the odd answer was given thrice", function()
      connected()
      world:kill(world.nodes[3])
      world:until_true(function() return world:count "HOST_DOWN" == 1 end)
      world.no_peers = true
      local refreshes = world.refreshes
      C.mp_topology_want(world.session.topology, true, false, 0)
      world:until_true(function() return world.refreshes == refreshes + 2 end)
      world:pass(50)
      assert.equal(3, world:stats().hosts_total)
      world:until_true(function() return world:stats().hosts_total == 2 end)
      assert.is_true(world.refreshes == refreshes + 3)
    end)

    it("costs one refresh a second, however many events come", function()
      connected()
      local before = world.refreshes
      for _ = 1, 100 do
        for _ = 1, 100 do world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", { ip = "127.0.0.99" }) end
        world:pass(100)
      end
      world:pass(3000)
      assert.is_true(world.refreshes - before >= 8 and world.refreshes - before <= 13, world.refreshes - before)
    end)

    it("does not believe that a host is down while its connections work", function()
      connected()
      world:event(world.nodes[1], "STATUS_CHANGE", "DOWN", world.nodes[2])
      world:pass(5000)
      assert.equal(3, world:up_count())
      assert.equal(0, world:count "HOST_DOWN")
    end)

    it("asks a host for a sign of life when others call it down", function()
      connected()
      C.mp_loop_sim_stall(world.loop.handle, world.nodes[2].addr, true)
      world:event(world.nodes[1], "STATUS_CHANGE", "DOWN", world.nodes[2])
      world:until_true(function() return world:count("HOST_DOWN", "127.0.0.2:9042") == 1 end, 1500)
      C.mp_loop_sim_stall(world.loop.handle, world.nodes[2].addr, false)
    end)

    it("tries a host soon when it is called up, and bears flapping", function()
      connected { config = { local_limits = { reconnect_base_ms = 20000, reconnect_max_ms = 20000 } } }
      world:kill(world.nodes[2])
      world:until_true(function() return world:count("HOST_DOWN", "127.0.0.2:9042") == 1 end)
      for _ = 1, 100 do -- called up long before its port is open
        world:event(world.nodes[1], "STATUS_CHANGE", "UP", world.nodes[2])
        world:event(world.nodes[1], "STATUS_CHANGE", "DOWN", world.nodes[2])
        world:pass(50)
      end
      assert.is_true(world:find("127.0.0.2").pool.failed_total < 60)
      assert.equal(1, world:count("HOST_DOWN", "127.0.0.2:9042"))
      world:start(world.nodes[2])
      world:event(world.nodes[1], "STATUS_CHANGE", "UP", world.nodes[2])
      world:until_true(function() return world:up_count() == 3 end, 300)
    end)

    it("ignores events it does not know, and unreadable ones", function()
      connected()
      local node, link = world:control_node()
      world:odd_events(link)
      world:pass(100)
      assert.equal(node, (world:control_node()))
    end)

    it("passes changes of the schema on", function()
      connected()
      world:schema_event(world.nodes[1], "CREATED", "TABLE", "ks", "users")
      world:until_true(function() return world:count "SCHEMA_CHANGED" == 1 end)
      local event = world.events[#world.events]
      assert.same({ "ks", "users", "CREATED" }, { event.keyspace, event.table, event.change })
    end)
  end)

  describe("and replicas", function()
    local function replicas_of(keyspace, token)
      local id = C.mp_session_keyspace_id(world.session, require("spec.support.peer").str(keyspace))
      local placement = C.mp_keyspaces_use(world.session.keyspaces, id)
      if placement == nil then return nil end
      local count = ffi.new "uint32_t[1]"
      local found = C.mp_placement_find(placement, token, count)
      local out = {}
      for i = 0, tonumber(count[0]) - 1 do
        local host = C.mp_session_host_slot(world.session, found[i])
        if host ~= nil then out[#out + 1] = ffi.string(host.addr_text):match "^[^:]+" end
      end
      return out
    end

    it("are computed for keyspaces that are used, from the first use on", function()
      connected()
      assert.is_nil(replicas_of("ks", -7500))
      world:pass(20)
      assert.same({ "127.0.0.2", "127.0.0.3" }, replicas_of("ks", -7500))
      assert.is_nil(replicas_of("unheard_of", 0))
    end)

    it("follow a change of the keyspace, the old serving until the new is complete", function()
      connected()
      replicas_of("ks", 0)
      world:pass(20)
      world.keyspaces.ks.replication_factor = "3"
      world:schema_event(world.nodes[1], "UPDATED", "KEYSPACE", "ks")
      world:pass(500)
      assert.equal(2, #replicas_of("ks", -7500))
      world:pass(1000)
      assert.equal(3, #replicas_of("ks", -7500))
      world.keyspaces.ks = nil
      world:schema_event(world.nodes[1], "DROPPED", "KEYSPACE", "ks")
      world:pass(1500)
      assert.is_nil(replicas_of("ks", -7500))
    end)

    it("follow a change of the ring", function()
      connected()
      replicas_of("ks", 0)
      world:pass(20)
      local epoch = world.session.keyspaces.ring
      world.nodes[2].tokens = { "5000" }
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "MOVED_NODE", world.nodes[2])
      world:pass(1500)
      assert.is_true(epoch ~= world.session.keyspaces.ring)
      assert.same({ "127.0.0.3", "127.0.0.2" }, replicas_of("ks", -7500))
    end)

    it("leave the ring alone when a refresh says nothing new", function()
      connected()
      local ring = world.session.keyspaces.ring
      C.mp_topology_want(world.session.topology, true, true, 0)
      world:pass(100)
      assert.is_true(ring == world.session.keyspaces.ring)
    end)

    it("are computed in slices", function()
      local tokens = {}
      for node = 1, 2 do
        tokens[node] = {}
        for i = 1, 3000 do tokens[node][i] = tostring(i * 1000 + node) end
      end
      connected { nodes = { { tokens = tokens[1] }, { tokens = tokens[2] } } }
      assert.equal(6000, world.session.keyspaces.ring.count)
      replicas_of("ks", 0)
      local turns = 0
      while not replicas_of("ks", 0) do
        world:pass(1)
        turns = turns + 1
        assert.is_true(turns < 50)
      end
      assert.is_true(turns >= 3, turns)
    end)

    it("are known in a datacentre that comes later", function()
      connected { keyspaces = { ks = { class = "NetworkTopologyStrategy", dc1 = "1", dc2 = "1" } } }
      replicas_of("ks", 0)
      world:pass(20)
      assert.equal(1, #replicas_of("ks", -7500))
      local new = world:add_node { dc = "dc2", tokens = { "100" } }
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", new)
      world:until_true(function() return #(replicas_of("ks", -7500) or {}) == 2 end, 5000)
    end)

    it("cost no node its datacentre, whatever keyspaces name", function()
      local options = { class = "NetworkTopologyStrategy", dc1 = "1" }
      for i = 1, 64 do options["nowhere" .. i] = "3" end
      connected { keyspaces = { ks = options }, nodes = { {}, { dc = "dc2" } } }
      local second = world:add_node { dc = "dc3" }
      world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", second)
      world:pass(3000)
      assert.equal(3, world:stats().hosts_total)
      assert.equal("dc3", ffi.string(world:find("127.0.0.3").dc))
      assert.equal(3, world.session.view.dc_count)
    end)

    it("are not known under another partitioner", function()
      world = session_world.open()
      for _, node in ipairs(world.nodes) do node.says.partitioner = "org.apache.cassandra.dht.RandomPartitioner" end
      assert.is_nil(world:connect())
      replicas_of("ks", 0)
      world:pass(50)
      assert.is_nil(replicas_of("ks", 0))
    end)

    it("survive tokens that make no sense (G11)", function()
      connected { nodes = { { tokens = { "12x", "", "99999999999999999999", "-9223372036854775808", "-", "7" } }, {} } }
      assert.equal(3, world.session.keyspaces.ring.count)
    end)
  end)
end)
