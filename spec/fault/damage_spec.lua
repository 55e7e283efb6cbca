-- SPDX-License-Identifier: Apache-2.0
-- X16: what a node tells beside a host id and an address costs what it is good for, and never a node or the connection.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local safe = { mix = { read = 60, write = 40 } }
local LOCAL, PEERS = "SELECT * FROM system.local", "SELECT * FROM system.peers"
local KEYSPACES = "FROM system_schema.keyspaces"

-- What a host must have, and where it stands.
local NEEDED = "host_id,rpc_address,rpc_port,native_address,native_port,peer,cluster_name"

local function damage(world, seed, spare)
  world.cluster:rule { statement = LOCAL, damage = seed, spare = spare }
  world.cluster:rule { statement = PEERS, damage = seed + 1, spare = spare }
  world.cluster:rule { statement = KEYSPACES, damage = seed + 2 }
end

local function up_count(pool)
  local count = 0
  for _, host in ipairs(pool:getHosts()) do count = count + (host.status == "up" and 1 or 0) end
  return count
end

describe("damaged system tables:", function()
  for part = 0, 3 do
    it("X16 all hosts are used whatever is said beside where they are (" .. part + 1 .. ")", function(world)
      for seed = part * 10 + 1, part * 10 + 10 do
        damage(world, seed * 1000, NEEDED .. ",data_center")
        local pool = world:newPool()
        assert(pool:connect(), "seed " .. seed)
        world:eventually("all are up, seed " .. seed, function() return up_count(pool) == 3 end, 5000)
        assert.equal(3, #pool:getHosts())
        for _ = 1, 6 do assert(pool:execute "SELECT key FROM system.local") end
        pool:close()
        world.cluster:clearRules()
      end
    end)
  end

  it("X16 hosts whose datacentre is damaged are not lost, and some host is used", function(world)
    for seed = 1, 40 do
      damage(world, seed * 1000, NEEDED)
      local pool = world:newPool { localDataCenter = support.none }
      assert(pool:connect(), "seed " .. seed)
      assert.equal(3, #pool:getHosts(), "seed " .. seed)
      assert.is_true(up_count(pool) >= 1)
      assert(pool:execute "SELECT key FROM system.local")
      pool:close()
      world.cluster:clearRules()
    end
  end)

  it("X16 refreshes that are damaged in any way lose nobody and no request", function(world)
    local pool = world:pool { failover = { discoveryInterval = 1000 } }
    local told = world:listen(pool, "hostRemoved", "hostDown", "hostAdded")
    damage(world, 5000, NEEDED .. ",data_center")
    local load = workload.new(world, pool, safe):start(4, 100)
    for round = 1, 30 do
      moonpool.sleep(1000)
      if round % 5 == 0 then world.sim:cut(assert(world:controlNode(pool))) end
    end
    load:stop():none_failed():check()
    assert.equal(0, #told.hostRemoved + #told.hostAdded)
    assert.equal(3, #pool:getHosts())
    world.cluster:clearRules()
    world:healed(pool)
  end)

  it("X16 damage of everything ends in a connection or an error, in time", function(world)
    for seed = 1, 60 do
      damage(world, seed * 1000)
      local pool = world:newPool()
      local began = moonpool.now()
      local ok, err = pool:connect()
      assert(ok or err.code, "seed " .. seed)
      assert.is_true(moonpool.now() - began <= 2600, "seed " .. seed .. ": " .. moonpool.now() - began)
      moonpool.sleep(1500)
      pool:close()
      world.cluster:clearRules()
    end
  end)

  it("X16 any error of an optional table costs its feature only", function(world)
    for name in pairs(sim.serverErrors) do
      for _, case in ipairs { { "peers_v2", 3 }, { PEERS, 1 }, { KEYSPACES, 3 } } do
        local rule = world.cluster:rule { statement = case[1], error = name }
        local pool = world:newPool()
        assert(pool:connect(), name .. " " .. case[1])
        world:eventually("they are up: " .. name .. " " .. case[1], function() return up_count(pool) == case[2] end)
        assert(pool:execute "SELECT key FROM system.local")
        assert.is_true(rule:hits() > 0)
        moonpool.sleep(4000) -- further refreshes meet it, too
        assert.equal(case[2], up_count(pool))
        rule:remove()
        world.cluster:clearRules()
        pool:close()
      end
    end
  end)

  it("X16 tables that were unreadable are read when they can be", function(world)
    world.cluster:rule { statement = PEERS, error = "UNAUTHORIZED" }
    world.cluster:rule { statement = KEYSPACES, error = "UNAUTHORIZED" }
    local pool = world:pool { failover = { discoveryInterval = 2000 } }
    assert.equal(1, #pool:getHosts())
    world.cluster:clearRules()
    world:eventually("all are found", function() return up_count(pool) == 3 end, 5000)
    workload.new(world, pool, safe):run(50, 4):none_failed():check()
  end)

  it("X16 a table that is refused when it was readable before loses nobody", function(world)
    local pool = world:pool { failover = { discoveryInterval = 1000 } }
    local load = workload.new(world, pool, safe)
    for _, what in ipairs { "peers_v2", PEERS, LOCAL, KEYSPACES } do
      local rule = world.cluster:rule { statement = what, error = "OVERLOADED" }
      load:run(60, 4, function() moonpool.sleep(300) end)
      load:none_failed():check()
      assert.equal(3, #pool:getHosts(), what)
      rule:remove()
      world:healed(pool)
    end
  end)

  it("X16 a schema statement does not wait for an agreement that nobody may look up", function(world)
    local pool = world:pool { requestTimeout = 20000 }
    local number = 0
    for _, what in ipairs { "schema_version FROM system.peers", "schema_version FROM system.local" } do
      for _, name in ipairs { "UNAUTHORIZED", "SERVER_ERROR", "INVALID" } do
        local rule = world.cluster:rule { statement = what, error = name }
        local began = moonpool.now()
        number = number + 1
        assert(pool:execute(("CREATE TABLE ks.t%d (k int PRIMARY KEY)"):format(number)))
        assert.is_true(moonpool.now() - began < 2000, what .. " " .. name .. ": " .. moonpool.now() - began)
        assert.is_true(rule:hits() >= 2) -- it may have been trouble that passes
        rule:remove()
      end
    end
  end)

  it("X16 a table that is never answered costs connect() its time only", function(world)
    for _, case in ipairs { { KEYSPACES, 3 }, { "peers_v2", 3 }, { PEERS, 1 }, { LOCAL } } do
      local rule = world.cluster:rule { statement = case[1], swallow = true }
      local pool, began = world:newPool(), moonpool.now()
      local ok, err = pool:connect()
      assert.equal(case[2] ~= nil, ok or false, case[1] .. tostring(err))
      assert.equal(case[2] or 0, #pool:getHosts())
      assert.is_true(moonpool.now() - began <= 2600, case[1] .. ": " .. moonpool.now() - began)
      rule:remove()
      pool:close()
    end
  end)
end)
