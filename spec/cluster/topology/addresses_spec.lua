-- SPDX-License-Identifier: Apache-2.0
-- Where hosts are reached when it is not where they say: forwarded ports, tunnels, rows that are older than the node.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"
local sim_world = require "spec.support.sim_world"

local host_type = ffi.typeof "struct mp_host *"

describe("a host", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function blackhole(ip, on)
    C.mp_loop_sim_blackhole(world.loop.handle, sim_world.addr(ip, 9042), on ~= false)
  end

  -- The same node at another address as its row says.
  local function also_at(node, ip) return setmetatable({ ip = ip }, { __index = node }) end

  local function refresh()
    local before = world.refreshes
    C.mp_topology_want(world.session.topology, true, false, 0)
    world:until_true(function() return world.refreshes > before end)
    world:pass(20)
  end

  local function address_of(ip) return ffi.string(world:find(ip).addr_text) end

  local function connect_ms()
    local began = world.loop:now_ms()
    assert.is_nil(world:connect())
    return world.loop:now_ms() - began
  end

  describe("behind a forwarded port", function()
    it("is used by the address that reached it, and called by that", function()
      world = session_world.open { nodes = { {} } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      assert.is_true(connect_ms() < 100)
      assert.equal(1, world:up_count())
      assert.equal("127.0.0.1:9042", address_of "127.0.0.1")
      assert.is_truthy(world:find "10.0.0.1:9042") -- found by what the cluster calls it, too
      assert.equal(1, world:count "HOST_ADDED")
      assert.equal(1, world:count("HOST_UP", "127.0.0.1:9042"))
      assert.equal(0, world:count "HOST_DOWN")
      for _ = 1, 3 do
        assert.equal("127.0.0.1:9042", world:execute("SELECT v FROM t").host)
        refresh()
      end
      assert.equal("127.0.0.1:9042", address_of "127.0.0.1")
      assert.equal(1, world:count "CONNECTION_ADDED")
    end)

    it("is used so although what it says does not even refuse", function()
      world = session_world.open { nodes = { {} }, config = { connect_timeout_ms = 5000 } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      blackhole "10.0.0.1"
      assert.is_true(connect_ms() < 700)
      assert.equal("127.0.0.1:9042", address_of "127.0.0.1")
      assert.equal(0, world:count "HOST_DOWN")
    end)

    it("is used so with little time, too", function()
      world = session_world.open { nodes = { {} }, config = { connect_timeout_ms = 1100 } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      blackhole "10.0.0.1"
      assert.is_true(connect_ms() < 1100)
      assert.equal(1, world:up_count())
    end)

    it("is found again there when it was away", function()
      world = session_world.open { nodes = { {} } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      connect_ms()
      for _ = 1, 3 do
        world:kill(world.nodes[1])
        world:until_true(function() return world:up_count() == 0 end)
        world:pass(5000)
        world:start(world.nodes[1])
        world:until_true(function() return world:up_count() == 1 end)
        assert.equal("127.0.0.1:9042", address_of "127.0.0.1")
      end
    end)

    it("is knocked at as often as its backoff says, however many addresses it has", function()
      world = session_world.open { nodes = { {} },
        config = { local_limits = { reconnect_base_ms = 1000, reconnect_max_ms = 4000 } } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      connect_ms()
      world:kill(world.nodes[1])
      world:until_true(function() return world:up_count() == 0 end)
      local before = tonumber(world:find("127.0.0.1").pool.failed_total)
      world:pass(60000)
      local tries = tonumber(world:find("127.0.0.1").pool.failed_total) - before
      assert.is_true(tries >= 30 and tries <= 150, tries .. " attempts in a minute")
    end)

    it("does not hide the nodes that are reached where they say, nor those that are not", function()
      world = session_world.open { nodes = { {}, {}, {} } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      world.nodes[3].says.native_address = rows.inet "10.0.0.3"
      connect_ms()
      world:pass(2000)
      assert.equal(3, world:stats().hosts_total)
      assert.equal(2, world:up_count())
      assert.equal(C.MP_HOST_DOWN, world:find("10.0.0.3").state)
    end)

    it("is told when none of its addresses answers", function()
      world = session_world.open { nodes = { {} } }
      world.nodes[1].says.rpc_address = rows.inet "10.0.0.1"
      world.nodes[1].peer.on.QUERY = function(link, request)
        if not request.cql:find "FROM system_schema" then return false end
        rows.void(link, request)
        world.nodes[1].peer:unlisten()
        return true
      end
      local err = world:connect()
      assert.equal("NO_HOST_AVAILABLE", err.code)
      assert.is_truthy(err.message:find("10.0.0.1:9042", 1, true), err.message)
    end)

    it("that leads to another node now and then is used where it says", function()
      world = session_world.open { nodes = { {}, { ip = "127.0.0.2" } }, contacts = { "127.0.0.100" } }
      local balancer = sim_world.addr("127.0.0.100", 9042)
      local first = true
      -- The balancer's first connection is to node 1, all others are to node 2.
      local peers = require "spec.support.peer"
      world.balancer = peers.listen(world.loop, balancer, { cluster_name = world.cluster_name,
        host_id = world.nodes[1].host_id,
        on_request = function(link, request) world.nodes[1].peer.on_request(link, request) end,
        on_accept = function(link)
          if not first then link.peer.host_id = world.nodes[2].host_id end
          first = false
        end })
      assert.is_nil(world:connect())
      world:until_true(function() return world:up_count() == 2 end)
      assert.equal("127.0.0.1:9042", address_of "127.0.0.1:9042")
      assert.is_nil(world:execute("SELECT v FROM t").err)
      world.balancer:close()
    end)
  end)

  it("is not knocked at for ever by a way that is none any more", function()
    world = session_world.open { nodes = { {}, { ip = "127.0.0.2" } },
      config = { local_limits = { reconnect_base_ms = 100, reconnect_max_ms = 1000 } } }
    assert.is_nil(world:connect())
    world:until_true(function() return world:up_count() == 2 end)
    local host = ffi.cast(host_type, world:find "127.0.0.2")
    local function reached(ip) -- as a control connection reaches it
      local row = ffi.new "struct mp_node_row"
      row.addr, row.translated = host.endpoints.all[0].named, host.endpoints.all[0].addr
      row.reached = sim_world.addr(ip, 9042)
      C.mp_host_say_addr(host, row, true)
      C.mp_host_settle_addr(host)
      assert.is_true(C.mp_addr_eq(host.pool.addr, C.mp_endpoints_addr(host.endpoints)))
    end
    reached "10.9.9.9"
    for _, address in ipairs { "127.0.0.2", "10.9.9.9" } do
      world:kill(world.nodes[2])
      world:until_true(function()
        return host.state == C.MP_HOST_DOWN and C.mp_addr_eq(host.pool.addr, sim_world.addr(address, 9042))
      end)
      reached "127.0.0.2"
      world:start(world.nodes[2])
      world:until_true(function() return world:up_count() == 2 end, 5000)
      reached "10.9.9.9"
    end
  end)

  describe("with two rows", function()
    local orders = { { "127.0.0.2", "127.0.0.7" }, { "127.0.0.7", "127.0.0.2" } }

    -- Node 2 is named by both addresses in this order; `alive`: where it listens.
    local function open(order, alive)
      world = session_world.open { nodes = { {}, { ip = alive, dead = alive == nil, member = false } } }
      world.extra_peers = { also_at(world.nodes[2], order[1]), also_at(world.nodes[2], order[2]) }
    end

    it("is used by the one that works, whichever comes first", function()
      for _, order in ipairs(orders) do
        for _, alive in ipairs(order) do
          open(order, alive)
          assert.is_true(connect_ms() < 100)
          assert.equal(2, world:up_count())
          assert.equal(alive .. ":9042", address_of(alive))
          assert.equal(0, world:count "HOST_DOWN")
          world:close()
        end
      end
      world = nil
    end)

    it("keeps the one that works, whatever order they come in later", function()
      open(orders[1], "127.0.0.7")
      connect_ms()
      local opened = tonumber(world:find("127.0.0.7").pool.opened_total)
      for i = 1, 6 do
        local order = orders[i % 2 + 1]
        world.extra_peers = { also_at(world.nodes[2], order[1]), also_at(world.nodes[2], order[2]) }
        refresh()
        assert.equal("127.0.0.7:9042", address_of "127.0.0.7")
      end
      assert.equal(opened, tonumber(world:find("127.0.0.7").pool.opened_total))
      assert.equal(0, world:count "HOST_DOWN")
    end)

    it("is tried at each in turn while none works", function()
      open(orders[1], nil)
      connect_ms()
      assert.equal(1, world:up_count())
      world:pass(7000)
      world.nodes[2].ip = "127.0.0.7"
      world:start(world.nodes[2])
      world:until_true(function() return world:up_count() == 2 end)
      assert.equal("127.0.0.7:9042", address_of "127.0.0.7")
      world:kill(world.nodes[2])
      world:until_true(function() return world:up_count() == 1 end)
      world.nodes[2].ip = "127.0.0.2"
      world:start(world.nodes[2])
      world:until_true(function() return world:up_count() == 2 end)
      assert.equal("127.0.0.2:9042", address_of "127.0.0.2")
    end)

    it("hears of events by each of its addresses", function()
      open(orders[1], nil)
      world.nodes[2].ip = "127.0.0.7"
      connect_ms()
      world:pass(60000) -- its backoff is long now
      world:start(world.nodes[2])
      world:event(world.nodes[1], "STATUS_CHANGE", "UP", { ip = "127.0.0.2" })
      world:until_true(function() return world:up_count() == 2 end, 1000)
    end)

    it("may be the node that is asked", function()
      world = session_world.open { nodes = { {}, {} } }
      world.extra_peers = { also_at(world.nodes[1], "10.0.0.9"), also_at(world.nodes[1], "127.0.0.1") }
      connect_ms()
      assert.equal(2, world:stats().hosts_total)
      assert.equal(2, world:up_count())
      assert.equal("127.0.0.1:9042", address_of "127.0.0.1")
    end)

    it("is one host for system.peers, too", function()
      for _, order in ipairs(orders) do
        open(order, "127.0.0.7")
        world.nodes[1].old_peers = true
        connect_ms()
        assert.equal(2, world:up_count())
        world:close()
      end
      world = nil
    end)
  end)

  describe("whose address is said to be another one", function()
    it("keeps the connections that work while the new one leads nowhere, and opens more of them", function()
      world = session_world.connected { nodes = { {}, {} },
        config = { local_limits = { core = 1, max = 2, grow_at = 4 } } }
      world.nodes[2].says.native_address = rows.inet "10.0.0.2"
      refresh()
      world:pass(3000)
      assert.equal(2, world:up_count())
      assert.equal("127.0.0.2:9042", address_of "127.0.0.2")
      assert.equal(0, world:count "HOST_DOWN")
      assert.equal(0, world:count "CONNECTION_LOST")
      local slot = world:find("127.0.0.2").index
      world.on_statement = function() return true end
      local records = {}
      for i = 1, 8 do records[i] = world:submit("SELECT v FROM t", { pinned_host = slot, idempotent = true }) end
      world:until_true(function() return world:find("127.0.0.2").pool.ready_count == 2 end)
      world.on_statement = nil
      for _, record in ipairs(records) do world:wait(record) end
    end)

    it("goes there when it can be reached, and comes back when it cannot any more", function()
      world = session_world.connected { nodes = { {}, {} } }
      local node = world.nodes[2]
      node.says.native_address = rows.inet "127.0.0.12"
      local old_ip, old_peer = node.ip, node.peer
      node.ip = "127.0.0.12"
      world:listen(node)
      refresh()
      world:until_true(function() return address_of "127.0.0.12" == "127.0.0.12:9042" end)
      world:until_true(function() return #old_peer:open_links() == 0 end)
      assert.equal(0, world:count "HOST_DOWN")
      assert.equal(0, world:count "CONNECTION_LOST")
      node.peer:close()
      node.ip, node.peer = old_ip, old_peer
      old_peer.host_id = node.host_id
      world:pass(1000)
      assert.equal(1, world:up_count()) -- nobody has said that it is back there
      node.says.native_address = nil
      refresh()
      world:until_true(function() return world:up_count() == 2 end)
      assert.equal("127.0.0.2:9042", address_of "127.0.0.2")
    end)
  end)

  it("shares its address with another one that was there before, and neither is lost", function()
    world = session_world.open { nodes = { {}, {} } }
    local ghost = setmetatable({ host_id = ("g"):rep(16) }, { __index = world.nodes[2] })
    for _, extra in ipairs { { ghost }, { ghost, also_at(world.nodes[2], "127.0.0.2") } } do
      world.extra_peers = extra
      if not world.connected_once then connect_ms() else refresh() end
      world.connected_once = true
      world:pass(500)
      assert.equal(3, world:stats().hosts_total)
      assert.equal(2, world:up_count())
      assert.is_nil(world:execute("SELECT v FROM t").err)
    end
    world:event(world.nodes[1], "STATUS_CHANGE", "DOWN", world.nodes[2])
    world:pass(100)
    assert.equal(2, world:up_count())
    world.extra_peers = {}
    refresh()
    assert.equal(2, world:stats().hosts_total)
    assert.equal(2, world:up_count())
  end)

  -- Nodes behind anything: each listens at one of several addresses, its rows name some of them and others that lead
  -- nowhere, in any order; they move and the rows follow late. In the end all are up, and no request was lost.
  it("is reached in the end by one of its addresses, whatever the rows say", function()
    for seed = 1, 12 do
      math.randomseed(seed)
      world = session_world.open { seed = seed, nodes = { {}, { member = false }, { member = false } } }
      local homes = { {}, { "127.0.1.2", "127.0.2.2" }, { "127.0.1.3", "127.0.2.3" } }
      local function shuffle_rows()
        local extra = {}
        for i = 2, 3 do
          local node = world.nodes[i]
          local names = { node.ip, "10.0.0." .. i, homes[i][math.random(1, 2)] }
          for _ = 1, math.random(1, 3) do
            extra[#extra + 1] = also_at(node, table.remove(names, math.random(1, #names)))
          end
          if math.random() < 0.7 then extra[#extra + 1] = also_at(node, node.ip) end
        end
        for i = #extra, 2, -1 do
          local j = math.random(1, i)
          extra[i], extra[j] = extra[j], extra[i]
        end
        world.extra_peers = extra
      end
      for i = 2, 3 do
        local node = world.nodes[i]
        node.peer:close()
        node.ip = homes[i][math.random(1, 2)]
        world:listen(node)
      end
      shuffle_rows()
      assert.is_nil(world:connect(), "seed " .. seed)
      for _ = 1, 6 do
        local node = world.nodes[math.random(2, 3)]
        world:kill(node)
        node.peer:close()
        node.ip = homes[node == world.nodes[2] and 2 or 3][math.random(1, 2)]
        world:start(node)
        shuffle_rows()
        refresh()
        for _ = 1, 4 do
          local record = world:execute("SELECT v FROM t", { idempotent = true })
          assert.is_nil(record.err, "seed " .. seed)
        end
        world:pass(math.random(0, 2000))
      end
      world.extra_peers = {}
      for i = 2, 3 do world.extra_peers[i - 1] = also_at(world.nodes[i], world.nodes[i].ip) end
      refresh()
      world:until_true(function() return world:up_count() == 3 end, 60000)
      assert.equal(3, world:stats().hosts_total, "seed " .. seed)
      world:close()
    end
    world = nil
  end)
end)
