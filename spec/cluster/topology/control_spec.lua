-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local session_world = require "spec.support.session_world"
local sim_world = require "spec.support.sim_world"

describe("the control connection", function()
  local world

  local function connected(options)
    world = session_world.connected(options)
    return world
  end

  local function standing()
    return world.session.control.state == C.MP_CONTROL_STANDING
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("is one, although many were tried", function()
    connected { contacts = { "127.0.0.1", "127.0.0.2", "127.0.0.3" } }
    world:pass(100)
    local count = 0
    for _, node in ipairs(world.nodes) do
      for _, link in ipairs(node.peer:open_links()) do count = count + (link.registered and 1 or 0) end
    end
    assert.equal(1, count)
  end)

  it("tries no more than eight addresses at once", function()
    local nodes, contacts = {}, {}
    for i = 1, 20 do
      nodes[i] = {}
      contacts[i] = "127.0.0." .. i
    end
    world = session_world.open { nodes = nodes, contacts = contacts }
    for _, node in ipairs(world.nodes) do C.mp_loop_sim_blackhole(world.loop.handle, node.addr, true) end
    local record = world:begin_connect()
    local most = 0
    for _ = 1, 40 do
      world:pass(50)
      local census = world.loop:census()
      most = math.max(most, tonumber(census.sockets))
    end
    assert.equal(8, most)
    for _, node in ipairs(world.nodes) do C.mp_loop_sim_blackhole(world.loop.handle, node.addr, false) end
    world:until_true(function() return record.done end)
    assert.is_nil(record.err)
  end)

  it("moves to another host when it is lost, and no request notices", function()
    connected()
    local first, link = world:control_node()
    link:close(true)
    local records = {}
    for i = 1, 20 do records[i] = world:submit("SELECT v FROM t") end
    world:until_true(function() return standing() and world:control_node() ~= nil and world:control_node() ~= first end)
    for _, record in ipairs(records) do
      world:wait(record)
      assert.is_nil(record.err)
      assert.equal(1, record.attempts)
    end
    assert.equal(0, world:count "HOST_DOWN")
  end)

  it("moves when its node falls silent", function()
    connected { config = { heartbeat_interval_ms = 2000 } }
    local first = world:control_node()
    C.mp_loop_sim_stall(world.loop.handle, first.addr, true)
    world:until_true(function()
      local now = world:control_node()
      return standing() and world.session.control.chosen ~= nil and now ~= nil and
        not C.mp_addr_eq(world.session.control.chosen.addr, first.addr)
    end, 6000)
    C.mp_loop_sim_stall(world.loop.handle, first.addr, false)
  end)

  it("reads the topology again where it stands now", function()
    connected()
    world:pass(2000)
    local added = world:add_node()
    local first = world:control_node()
    world:kill(first)
    world:until_true(function() return world:find(added.ip) ~= nil end)
  end)

  it("comes back for ever, with growing pauses, when all nodes were gone", function()
    connected { contacts = { "127.0.0.1", "127.0.0.2", "127.0.0.3" } }
    for _, node in ipairs(world.nodes) do world:kill(node) end
    world:pass(600000)
    assert.equal(0, world:up_count())
    assert.equal("NO_HOST_AVAILABLE", world:execute("SELECT v FROM t").err.code)
    local errors = tonumber(world.session.control.errors)
    world:pass(600000)
    local in_ten_minutes = tonumber(world.session.control.errors) - errors
    assert.is_true(in_ten_minutes >= 60 and in_ten_minutes < 600, in_ten_minutes)
    for _, node in ipairs(world.nodes) do world:start(node) end
    world:until_true(function() return standing() and world:up_count() == 3 end, 60000)
    assert.is_nil(world:execute("SELECT v FROM t").err)
  end)

  it("asks for the contact names again when every known address is dead", function()
    world = session_world.open { contacts = { "db.example" } }
    C.mp_loop_sim_set_name(world.loop.handle, "db.example", world.nodes[1].addr, 1)
    assert.is_nil(world:connect())
    for _, node in ipairs(world.nodes) do node.peer:close() end
    world:pass(30000)
    -- All addresses change at once; only the name leads to the new ones.
    for i, node in ipairs(world.nodes) do
      node.ip = "127.0.1." .. i
      world:listen(node)
    end
    C.mp_loop_sim_set_name(world.loop.handle, "db.example", world.nodes[2].addr, 1)
    world:until_true(function() return world:up_count() == 3 end, 60000)
    assert.equal(3, world:stats().hosts_total)
    assert.is_truthy(world:find "127.0.1.3")
    assert.is_nil(world:execute("SELECT v FROM t").err)
  end)

  it("survives names with many addresses, and none that works", function()
    world = session_world.open { contacts = { "many.example" }, nodes = { {} } }
    local ffi = require "ffi"
    local addrs = ffi.new "struct mp_addr[300]"
    for i = 0, 299 do addrs[i] = sim_world.addr("10.0." .. math.floor(i / 250) .. "." .. (i % 250 + 1), 9042) end
    C.mp_loop_sim_set_name(world.loop.handle, "many.example", addrs, 300)
    local err = world:connect()
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.equal(256, err.total)
    assert.equal(8, #err.attempts)
  end)

  it("gives a node up that cannot answer its questions any more", function()
    connected()
    world:pass(2000)
    local first = world:control_node()
    first.peer.on.QUERY = function(link, request)
      if not request.cql:find "FROM system.local WHERE" then return false end
      link:error(request, C.MP_SE_OVERLOADED, "too much")
      return true
    end
    world:event(first, "TOPOLOGY_CHANGE", "NEW_NODE", { ip = "127.0.0.77" })
    world:until_true(function() return world:control_node() ~= nil and world:control_node() ~= first end, 10000)
    assert.equal(3, world:up_count())
  end)

  it("comes back soon when a host does", function()
    connected { contacts = { "127.0.0.1" }, config = { local_limits = { reconnect_base_ms = 2000 } } }
    for _, node in ipairs(world.nodes) do world:kill(node) end
    for _ = 1, 20 do
      world:until_true(function() return world.session.control.state == C.MP_CONTROL_WAITING end, 60000)
      world:pass(3000)
    end
    world:start(world.nodes[3])
    world:until_true(function() return world:up_count() == 1 end, 60000)
    world:until_true(standing, 200)
  end)
end)
