-- SPDX-License-Identifier: Apache-2.0
-- The datacentre that serves, by the application's word, while requests run.
local moonpool = require "moonpool"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT key FROM system.local"
local TWO = { nodes = 3, dcs = 2 }

local function serving(pool) return pool:getMetrics().servingDataCenter end

local function datacentre_of(pool, result)
  for _, host in ipairs(pool:getHosts()) do
    if host.address == result.info.host then return host.datacenter end
  end
end

local function answered_by(pool, consistency)
  local seen = {}
  for _ = 1, 12 do
    seen[datacentre_of(pool, assert(pool:execute(SELECT, nil, { consistency = consistency or "ONE" })))] = true
  end
  local list = {}
  for name in pairs(seen) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end

describe("pool:switchDatacenter", function()
  it_in("moves and comes back while requests run, and none is lost", TWO, function(world)
    local pool = world:pool()
    local told = world:listen(pool, "failover")
    world.cluster:rule { statement = "SELECT key FROM", delay = 20 }
    local stop = world:keepAsking(function() return pool:execute(SELECT, nil, { consistency = "ONE" }) end)
    assert.equal("datacenter1", answered_by(pool))
    assert.is_true(pool:switchDatacenter "datacenter2")
    assert.equal("datacenter2", serving(pool))
    assert.equal("datacenter2", answered_by(pool))
    assert.equal("datacenter1", answered_by(pool, "LOCAL_ONE"), "a local consistency stays at home")
    moonpool.sleep(6000)
    assert.is_true(pool:switchDatacenter())
    assert.equal("datacenter1", serving(pool))
    assert.equal("datacenter1", answered_by(pool))
    assert.is_true(stop() > 5)
    world:eventually("both are told", function() return #told.failover == 2 end)
    assert.same({ from = "datacenter1", to = "datacenter2", reason = "the application wants it", level = "datacenter" },
      told.failover[1][1])
    world:eventually("the other one is given up", function()
      local count = 0
      for _, host in ipairs(pool:getHosts()) do
        if host.datacenter == "datacenter2" then count = count + host.connections end
      end
      return count == 0
    end)
  end)

  it_in("goes before a failover policy, which decides again afterwards", TWO, function(world)
    local pool = world:pool { failover = { policy = "DatacentreFailoverPolicy", downFor = 1000, upFor = 1000 } }
    assert.is_true(pool:switchDatacenter "datacenter2")
    moonpool.sleep(20000)
    assert.equal("datacenter2", serving(pool), "home is up, and the policy would have gone back")
    assert.is_true(pool:switchDatacenter())
    world:eventually("the policy goes back", function() return serving(pool) == "datacenter1" end, 20000)
  end)

  it_in("says what it cannot do", TWO, function(world)
    local pool = world:pool()
    local _, err = pool:switchDatacenter "south"
    assert.equal("NOT_FOUND", err.code)
    assert.matches("no host is in a datacentre 'south'", err.message, 1, true)
    for _, host in ipairs(pool:getHosts()) do
      for number in ipairs(world.cluster:nodes()) do
        if host.datacenter == "datacenter2" and world:host(number) == host.address then world.cluster:kill(number) end
      end
    end
    moonpool.sleep(1000)
    _, err = pool:switchDatacenter("datacenter2", { timeout = 3000 })
    assert.equal("TIMEOUT", err.code)
    assert.equal("datacenter1", serving(pool))
    assert(pool:execute(SELECT))
    world:calm()
    world:eventually("it serves when it can", function() return serving(pool) == "datacenter2" end, 30000)
    pool:close()
    assert.equal("CLOSED", select(2, pool:switchDatacenter "datacenter1").code)
    local none = world:pool { pooling = { coreConnectionsPerHost = { ["1"] = 0 } } }
    assert.equal("INVALID_ARGUMENT", select(2, none:switchDatacenter "datacenter2").code)
    local ok, message = pcall(function() none:switchDatacenter(5) end)
    assert.is_false(ok)
    assert.matches("switch_datacenter_spec.lua:%d+: bad argument #1 to 'switchDatacenter'", message)
  end)
end)
