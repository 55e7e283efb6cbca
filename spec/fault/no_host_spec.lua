-- SPDX-License-Identifier: Apache-2.0
-- When no host can be asked, the error names the hosts and says why of each; a keyspace that there is not is told as
-- that.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local unix = require "spec.support.unix"
local worlds = require "spec.support.world"
local it = worlds.inside(it)

local ASK = "SELECT key FROM system.local"

describe("no host", function()
  it("is up: each of them is named, with its reason", { nodes = 3 }, function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for node = 1, 3 do world.cluster:kill(node) end
    world:eventually("all are down", function()
      for _, host in ipairs(pool:getHosts()) do
        if host.status == "up" then return false end
      end
      return true
    end)
    local _, err = pool:execute(ASK)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    for node = 1, 3 do assert.matches("127.0.0." .. node .. ":9042: the ", err.message, 1, true) end
    _, err = pool:execute(ASK, nil, { host = "127.0.0.2" })
    assert.matches("^the host that the request names is not up: 127.0.0.2:9042: the ", err.message)
    assert.is_nil(err.message:find("127.0.0.1", 1, true))
  end)

  it("of many is up: three are named, and how many more there are", { nodes = 9 }, function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for node = 1, 9 do world.cluster:kill(node) end
    world:eventually("all are down", function()
      for _, host in ipairs(pool:getHosts()) do
        if host.status == "up" then return false end
      end
      return true
    end)
    local _, err = pool:execute(ASK)
    assert.matches("^none of the 9 known hosts is up: .*; and 6 more$", err.message)
  end)

  it("is in the plan: those that are down are named", { nodes = 3 }, function(world)
    local pool = world:pool { loadBalancing = { policy = "AllowListPolicy", hosts = { "127.0.0.2" } } }
    world:waitUp(pool)
    world.cluster:kill(2)
    world:eventually("it is down", function() return pool:getHosts()[2].status == "down" end)
    local _, err = pool:execute(ASK)
    assert.matches("^the plan names no host that is up %(2 of 3 are%): 127.0.0.2:9042: the ", err.message)
  end)
end)

describe("a request that its policy refuses", function()
  it("fails at once as one that finds no room, and says who refused it", { nodes = 3 }, function(world)
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    policies.write(folder .. "/mine.lua", [[return balance { name = "Mine", plan = function(plan, req)
      plan:hosts(localDc)
      if req.tag == tags.batch then plan:refuse() end
    end }]])
    local pool = world:pool { loadBalancing = { policy = folder .. "/mine.lua" } }
    for _, asked in ipairs { false, true, false } do
      local result, err = pool:execute(ASK, nil, { tag = asked and "batch" or "other" })
      assert.equal(asked, result == nil)
      if asked then
        assert.equal("POOL_BUSY", err.code)
        assert.equal("the load-balancing policy refused the request", err.message)
        assert.same({}, err.attempts)
      end
    end
  end)
end)

describe("a keyspace that does not exist", function()
  it("is told as that, not as hosts that are gone", function(world)
    local told, err = {}, nil
    local logged = unix.said_by(function()
      local pool = world:newPool { keyspace = "nope", logging = { level = "warn" } }
      pool:on("hostDown", function(_, reason) told[#told + 1] = reason end)
      err = select(2, pool:connect())
      moonpool.sleep(10)
    end)
    assert.equal("INVALID", err.code)
    assert.matches('the keyspace "nope" cannot be used: Keyspace \'nope\' does not exist', tostring(err), 1, true)
    assert.equal('the keyspace "nope" cannot be used: Keyspace \'nope\' does not exist', told[1])
    assert.matches("127.0.0.1:9042 answers and is not used: the keyspace", logged, 1, true)
    assert.is_nil(logged:find("is down", 1, true))
  end)
end)
