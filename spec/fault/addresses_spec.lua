-- SPDX-License-Identifier: Apache-2.0
-- Nodes that are not where they say.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local safe = { mix = { read = 60, write = 40 } }

local function addresses(pool, status)
  local list = {}
  for _, host in ipairs(pool:getHosts()) do
    if not status or host.status == status then list[#list + 1] = host.address end
  end
  table.sort(list)
  return table.concat(list, " ")
end

local function hide(world)
  for node = 1, world.nodes do world.cluster:advertise(node, "10.0.0." .. node) end
end

local table_of_all = {}
for node = 1, 5 do table_of_all["10.0.0." .. node] = "127.0.0." .. node end

describe("addresses:", function()
  it("X18 a node behind a forwarded port is used by the address that reached it", function(world)
    hide(world)
    local pool = world:newPool()
    local told = world:listen(pool, "hostUp", "hostDown", "hostAdded")
    assert(pool:connect())
    assert.equal("127.0.0.1:9042", addresses(pool, "up"))
    assert.equal(3, #pool:getHosts())
    local result = assert(pool:execute("SELECT key FROM system.local", nil, { host = "127.0.0.1:9042" }))
    assert.equal("127.0.0.1:9042", result.info.host)
    result = assert(pool:execute("SELECT key FROM system.local", nil, { host = "10.0.0.1" }))
    assert.equal("127.0.0.1:9042", result.info.host)
    assert.equal(1, #told.hostUp)
    assert.equal("127.0.0.1:9042", told.hostUp[1][1])
    for _ = 1, 2 do
      world.cluster:kill(1)
      world:eventually("it is down", function() return addresses(pool, "up") == "" end)
      world.cluster:start(1)
      world:eventually("it is back there", function() return addresses(pool, "up") == "127.0.0.1:9042" end)
    end
  end)

  it("X18 contact points of all nodes lead to whichever is left, and to those found before", function(world)
    hide(world)
    local pool = world:pool { contactPoints = { "127.0.0.1", "127.0.0.2", "127.0.0.3" } }
    for left = 3, 1, -1 do
      for node = 1, 3 do
        if node ~= left then world.cluster:kill(node) end
      end
      world:eventually("that one is found", function()
        return addresses(pool, "up") == "127.0.0." .. left .. ":9042"
      end, 20000)
      assert(pool:execute "SELECT key FROM system.local")
      for node = 1, 3 do
        if node ~= left then world.cluster:start(node) end
      end
    end
    world:eventually("all were found once", function() return #addresses(pool, "up") == 3 * 15 - 1 end, 20000)
    workload.new(world, pool, safe):run(50, 4):none_failed():check()
  end)

  it("G10 a table of addresses leads to all nodes, and to those that come", function(world)
    hide(world)
    local pool = world:pool { addressTranslator = table_of_all }
    world:eventually("all are up", function()
      return addresses(pool, "up") == "127.0.0.1:9042 127.0.0.2:9042 127.0.0.3:9042"
    end)
    local load = workload.new(world, pool, safe):start(8, 15)
    local new = world.cluster:addNode { address = "127.0.0.4" }
    world.cluster:advertise(new, "10.0.0.4")
    world:eventually("it is found", function() return addresses(pool, "up"):find("127.0.0.4", 1, true) end)
    -- Events name the nodes as the cluster does.
    world.cluster:kill(2)
    world:eventually("it is down", function() return not addresses(pool, "up"):find("127.0.0.2", 1, true) end)
    world.cluster:start(2)
    world:eventually("it is back", function() return addresses(pool, "up"):find("127.0.0.2", 1, true) end)
    load:stop():none_failed():check()
  end)

  it("G10 a function of the address and the host leads to all nodes, asked once for each", function(world)
    hide(world)
    local asked = {}
    local pool = world:pool { addressTranslator = function(address, host)
      asked[#asked + 1] = address .. " " .. host.datacenter .. " " .. host.rack
      assert(#host.id == 36)
      return "127.0.0." .. address:match "^10%.0%.0%.(%d)"
    end }
    world:eventually("all are up", function() return addresses(pool, "up"):find("127.0.0.3", 1, true) end)
    world.sim:cut(1)
    moonpool.sleep(5000)
    world:healed(pool)
    table.sort(asked)
    assert.equal("10.0.0.1:9042 datacenter1 rack1, 10.0.0.2:9042 datacenter1 rack1, 10.0.0.3:9042 datacenter1 rack1",
      table.concat(asked, ", "))
  end)

  it("G10 a function that fails in any way costs its translation only", function(world)
    world.cluster:advertise(1, "10.0.0.1")
    for _, fails in ipairs { function() error "no" end, function() return {} end, function() return "nowhere" end,
      function() coroutine.yield() end, function() moonpool.sleep(1000) end } do
      local pool = world:pool { addressTranslator = function(address)
        if address:find "^127.0.0.2" then return fails() end
      end }
      world:eventually("all are up", function()
        return addresses(pool, "up") == "127.0.0.1:9042 127.0.0.2:9042 127.0.0.3:9042"
      end)
      pool:close()
    end
  end)

  it("X1 a function may do anything that does not wait: forget its pool, close it, ask, reload", function(world)
    local config_file = require "spec.support.config_file"
    config_file.around(function()
      for _, act in ipairs {
        function(state) state.pool = nil collectgarbage() collectgarbage() end,
        function(state) pcall(state.pool.close, state.pool) end,
        function(state) if state.pool then state.pool:executeAsync "SELECT key FROM system.local" end end,
        function(state) if state.pool then state.pool:getHosts() state.pool:reload() end end,
        function(state) state.pool = nil collectgarbage "step" end,
      } do
        local state, count = {}, 0
        _G.translate_for_spec = function(address) -- luacheck: ignore
          count = count + 1
          act(state)
          return address
        end
        local values = world:configuration { requestTimeout = 1000 }
        local policies = require "spec.support.policies"
        policies.write(config_file.file "pool.lua", "local t = " .. config_file.text_of(values)
          .. "\nlocal fn = translate_for_spec t.addressTranslator = function(a) return fn(a) end return t\n")
        state.pool = moonpool.ConnectionPool(config_file.file "pool.lua")
        moonpool.spawn(function(pool) return pool:connect() end, state.pool):wait()
        moonpool.sleep(1000)
        assert.is_true(count >= 1)
        if state.pool then
          state.pool:reload()
          moonpool.sleep(100)
          state.pool:close()
        end
        state.pool = nil
        collectgarbage()
        moonpool.sleep(1000)
      end
      _G.translate_for_spec = nil -- luacheck: ignore
    end)
  end)

  it("X18 a translator that leads nowhere is no worse than none for the node that was reached", function(world)
    hide(world)
    local pool = world:pool { addressTranslator = function() return "10.9.9.9:1" end }
    assert.equal("127.0.0.1:9042", addresses(pool, "up"))
    assert(pool:execute "SELECT key FROM system.local")
  end)

  it("X17 a node that moved and left its old row behind is used where it lives", { nodes = 4 }, function(world)
    local pool = world:pool()
    local load = workload.new(world, pool, safe):start(8, 15)
    for round = 1, 3 do
      moonpool.sleep(500)
      world.cluster:setAddress(2, "127.0.0." .. 20 + round)
      -- The tables still say the old place for a while, the events the new one.
      world.cluster:advertise(2, "127.0.0.2")
      moonpool.sleep(2000)
      world.cluster:advertise(2)
      world.cluster:sendEvent(1, "TOPOLOGY_CHANGE", "MOVED_NODE", "127.0.0." .. 20 + round)
      world.cluster:sendEvent(3, "TOPOLOGY_CHANGE", "MOVED_NODE", "127.0.0." .. 20 + round)
      world.cluster:sendEvent(4, "TOPOLOGY_CHANGE", "MOVED_NODE", "127.0.0." .. 20 + round)
      world:eventually("it is followed", function() return world:status(pool, 2) == "up" end, 10000)
    end
    load:stop():none_failed():check()
    world:healed(pool)
  end)
end)
