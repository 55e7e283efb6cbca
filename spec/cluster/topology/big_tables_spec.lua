-- SPDX-License-Identifier: Apache-2.0
-- Whatever a node says about the cluster, and however much of it: the loop turns, and connect() ends in time.
local C = require "spec.support.c"
local big_tables = require "spec.support.big_tables"
local effort = require "spec.support.effort"
local session_world = require "spec.support.session_world"

describe("a table that is long", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  -- A session whose one node answers with these rows, and what they cost: the steps of the longest refresh and the
  -- comparisons of host ids and addresses.
  local function connect(answers, options)
    options = options or {}
    world = session_world.open { nodes = { options.node or {} }, real = options.real,
      config = options.config or { connect_timeout_ms = 2000, connects_per_second = 5 } }
    for table_name, answer in pairs(answers) do big_tables.answer(world.nodes[1], table_name, answer) end
    local topology, hosts = world.session.topology, world.session.hosts
    local record, steps = world:begin_connect(), 0
    local began = world.loop:now_ms()
    while not record.done do
      world.loop:turn(50)
      steps = math.max(steps, tonumber(topology.steps))
    end
    return record.err, { steps = steps, compared = tonumber(hosts.by_id.steps + hosts.by_addr.steps),
      ms = world.loop:now_ms() - began }
  end

  it("of peers costs a step for some thousands of rows, and each host some comparisons", function()
    local err, cost = connect { ["system.peers_v2"] = big_tables.peers(4000, 9042) }
    assert.is_nil(err)
    assert.equal(4001, world:stats().hosts_total)
    assert.is_true(cost.steps >= 20, cost.steps .. " steps")
    assert.is_true(cost.compared < 8 * 4000, cost.compared .. " comparisons")
    assert.is_true(cost.ms <= 2050, cost.ms .. " ms")
  end)

  it("of peers costs nothing for the rows beyond the most hosts there can be", function()
    local err, cost = connect { ["system.peers_v2"] = big_tables.peers(12000, 9042) }
    assert.is_nil(err)
    assert.equal(C.MP_HOSTS_MAX, world:stats().hosts_total)
    world:close()
    local err_of_more, cost_of_more = connect { ["system.peers_v2"] = big_tables.peers(20000, 9042) }
    assert.is_nil(err_of_more)
    assert.equal(C.MP_HOSTS_MAX, world:stats().hosts_total)
    assert.equal(cost.steps, cost_of_more.steps)
    assert.is_true(math.abs(cost_of_more.compared - cost.compared) < 1000, cost_of_more.compared - cost.compared)
    assert.is_true(cost_of_more.ms <= 2050, cost_of_more.ms .. " ms")
  end)

  it("of peers is read in as many steps when all rows are of one host, or of none", function()
    local one, none = ("1"):rep(16), ("\0"):rep(16)
    for _, host_id in ipairs { one, none } do
      local err, cost = connect { ["system.peers_v2"] = big_tables.peers(20000, 9042, function()
        return { host_id = host_id }
      end) }
      assert.is_nil(err)
      assert.is_true(world:stats().hosts_total <= 2)
      assert.is_true(cost.steps < 40, cost.steps .. " steps")
      assert.is_true(cost.compared < 40000, cost.compared .. " comparisons")
      world:close()
    end
    world = nil
  end)

  it("of peers with a rack of its own for each is no list to search", function()
    local err, cost = connect { ["system.peers_v2"] = big_tables.peers(4000, 9042, function(i)
      return { rack = "rack" .. i, dc = "dc" .. i % 200 }
    end) }
    assert.is_nil(err)
    assert.equal(4001, world:stats().hosts_total) -- more datacentres than are told apart
    assert.is_true(cost.compared < 8 * 4000)
  end)

  it("of peers keeps the hosts that are up although it does not name them", function()
    world = session_world.connected { nodes = { {}, {} }, config = { connects_per_second = 5 } }
    big_tables.answer(world.nodes[1], "system.peers_v2", big_tables.peers(9000, 9042))
    C.mp_topology_want(world.session.topology, true, false, 0)
    world:until_true(function() return world:stats().hosts_total == C.MP_HOSTS_MAX end)
    world:pass(1000)
    assert.equal(2, world:up_count())
  end)

  it("of tokens is sorted in steps, and too many of one host are none", function()
    local tokens = {}
    for i = 1, 4000 do tokens[i] = tostring((i * 7919) % 4001 * 1000003) end
    local many = {}
    for i = 1, 4097 do many[i] = tostring(i) end
    local err, cost = connect { ["system.peers_v2"] = big_tables.peers(60, 9042, function(i)
      if i == 1 then return { tokens = many } end
      local own = {}
      for t = 1, 2000 do own[t] = tokens[t] .. string.format("%02d", i) end
      return { tokens = own }
    end) }
    assert.is_nil(err)
    assert.equal(61, world:stats().hosts_total)
    assert.equal(1 + 59 * 2000, world.session.keyspaces.ring.count)
    assert.is_true(cost.steps > 50, cost.steps .. " steps")
    local ring = world.session.keyspaces.ring
    for i = 1, ring.count - 1 do assert(ring.tokens[i - 1] < ring.tokens[i]) end
  end)

  it("of keyspaces is read in steps, as far as there is room for names", function()
    local err, cost = connect { ["system_schema.keyspaces"] = big_tables.keyspaces(20000) }
    assert.is_nil(err)
    assert.is_true(cost.steps > 20, cost.steps .. " steps")
    assert.equal(C.MP_KEYSPACES_MAX, world.session.keyspaces.names.count)
  end)

  it("may be left in the middle: the session closes, the node dies", function()
    for _, turns in ipairs { 1, 4, 12, 30 } do
      for _, ends in ipairs { "close", "kill" } do
        world = session_world.open { nodes = { {} }, config = { connect_timeout_ms = 500, connects_per_second = 5 } }
        big_tables.answer(world.nodes[1], "system.peers_v2", big_tables.peers(1500, 9042))
        local record = world:begin_connect()
        world:until_true(function() return world.session.topology.steps > 0 end)
        for _ = 1, turns do world.loop:turn(0) end
        if ends == "kill" then world:kill(world.nodes[1]) else world:close_session() end
        world:until_true(function() return record.done end)
        world:close()
      end
    end
    world = nil
  end)

  it("holds no turn of the loop for long on real sockets", function()
    local longest = 0
    world = session_world.open { nodes = { { port = 25240 } }, real = true,
      config = { port = 25240, connect_timeout_ms = 1500 } }
    big_tables.answer(world.nodes[1], "system.peers_v2", big_tables.peers(50000, 25240))
    local record, began = world:begin_connect(), world.loop:now_ms()
    world:until_true(function() return world.session.topology.steps > 0 or record.done end)
    collectgarbage "stop"
    while not record.done do
      local before = os.clock()
      world.loop:turn(50)
      longest = math.max(longest, os.clock() - before)
    end
    collectgarbage "restart"
    assert.is_nil(record.err)
    assert.equal(C.MP_HOSTS_MAX, world:stats().hosts_total)
    assert.is_true(longest / effort.scale() < 0.25, longest .. " s")
    assert.is_true((world.loop:now_ms() - began) / effort.scale() < 6000)
  end)
end)
