-- SPDX-License-Identifier: Apache-2.0
-- Days in the life of a pool: what happens around an application that only wants its answers.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local safe = { mix = { read = 60, write = 40 } }

describe("an application", function()
  it("never notices that its policy is edited, broken and repaired", function(world)
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir '" .. folder .. "'") == 0)
    local file = folder .. "/mine_policy.lua"
    local function edit(plan)
      local handle = assert(io.open(file, "w"))
      handle:write("return balance { name = 'MinePolicy', plan = function(plan, req) ", plan, " end }\n")
      handle:close()
      world.sim:touch(file)
      moonpool.sleep(300)
    end
    edit "plan:hosts(localDc, inTurn)"
    local pool = world:pool { policyPath = { folder }, loadBalancing = { policy = "MinePolicy" } }
    local told = world:listen(pool, "policyReload", "policyError")
    local load = workload.new(world, pool):start(16, 5)
    moonpool.sleep(300)
    edit "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)"
    edit "plan:replicas(localDc, shufled)"
    edit "plan:replicas(localDc, shuffled"
    edit "plan:hosts(localDc, leastLoaded)"
    load:stop():none_failed():check()
    assert.equal(2, #told.policyReload)
    assert.equal(2, #told.policyError)
    os.execute("rm -rf '" .. folder .. "'")
  end)

  it("never notices that nodes come and go", function(world)
    local pool = world:pool()
    local told = world:listen(pool, "hostAdded", "hostRemoved")
    local load = workload.new(world, pool, safe):start(16, 40)
    for _ = 1, 3 do
      local new = world.cluster:addNode()
      world:waitStatus(pool, new, "up", 8000)
      moonpool.sleep(500)
      world.cluster:removeNode(new)
      world:eventually("it is gone", function() return #pool:getHosts() == 3 end, 8000)
    end
    load:stop():none_failed():check()
    assert.equal(3, #told.hostAdded)
    assert.equal(3, #told.hostRemoved)
  end)

  it("lives through nodes that die one after the other", function(world)
    local pool = world:pool()
    local told = world:listen(pool, "hostDown", "hostUp", "failover")
    world.sim:latency(4)
    local load = workload.new(world, pool):start(30, 50)
    for node = 1, 3 do
      moonpool.sleep(500)
      world.cluster:kill(node)
      moonpool.sleep(3000)
      world.cluster:start(node)
      world:waitUp(pool, 3, 5000)
    end
    load:stop()
    world:healed(pool)
    moonpool.sleep(10000)
    load:check()
    assert.equal(0, load:failures "read" + load:failures "write")
    assert.same({ 3, 3 }, { #told.hostDown, #told.hostUp })
    assert.is_true(#told.failover >= 1)
  end)

  it("has its own datacentre of two, which dies and returns", { nodes = 6, dcs = 2 }, function(world)
    local remote = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } }
    local pool = world:pool { pooling = remote, loadBalancing = { policy = "DCAwareRoundRobinPolicy",
      usedHostsPerRemoteDc = 2, allowRemoteDCsForLocalConsistencyLevel = true } }
    local options = { mix = safe.mix, consistency = "LOCAL_ONE" }
    local load = workload.new(world, pool, options):start(12, 30)
    local locals = {}
    for number, node in ipairs(world.cluster:nodes()) do
      if node.dc == "datacenter1" then locals[#locals + 1] = number end
    end
    assert.equal(3, #locals)
    moonpool.sleep(500)
    for _, number in ipairs(locals) do world.cluster:kill(number) end
    moonpool.sleep(3000)
    for _, number in ipairs(locals) do world.cluster:start(number) end
    world:waitUp(pool, 5, 8000) -- two of the three remote ones
    moonpool.sleep(500)
    load:stop():none_failed()
    world:healed(pool)
    moonpool.sleep(10000)
    load:check()
  end)

  it("reads page after page while the nodes that serve them die", function(world)
    world:schema "CREATE TABLE ks.log (k int, c int, v text, PRIMARY KEY (k, c))"
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO log (k, c, v) VALUES (1, ?, ?)")
    for c = 1, 400 do assert(pool:execute(insert, { c, "line " .. c }, { consistency = "ALL" })) end
    for node = 1, 3 do
      local count = 0
      for row in pool:rows("SELECT c, v FROM log WHERE k = ?", { 1 }, { fetchSize = 20, consistency = "ONE" }) do
        count = count + 1
        assert(row.c == count and row.v == "line " .. count)
        if count == 150 then world.cluster:kill(node) end
        if count % 40 == 0 then world.sim:cut(node % 3 + 1) moonpool.sleep(1500) end
      end
      assert.equal(400, count)
      world.cluster:start(node)
      world:waitUp(pool, 3, 5000)
    end
  end)

  it("asks ten thousand questions at once", function(world)
    local pool = world:pool { requestTimeout = 20000, attemptTimeout = 20000, maxQueuedRequests = 8000,
      pooling = { maxRequestsPerConnection = 256 } }
    local load = workload.new(world, pool, { timeout = 20000 })
    local codes, futures = { ok = 0 }, {}
    for i = 1, 10000 do
      local key = "row-" .. i % 40 + 1
      futures[i] = pool:executeAsync(load.prepared.read, { key }, { consistency = "ONE" })
    end
    for i = 1, 10000 do
      local result, err = futures[i]:wait()
      local code = result and "ok" or err.code
      codes[code] = (codes[code] or 0) + 1
      if result then assert(result:first().k == "row-" .. i % 40 + 1, "another question's answer") end
    end
    assert.equal(10000, codes.ok + (codes.POOL_BUSY or 0))
    assert.is_true(codes.ok >= 8000 and (codes.POOL_BUSY or 0) > 0, codes.ok)
    load:run(200, 16):none_failed():check()
  end)

  it("closes its pool while everything happens at once", function(world)
    for round = 1, 6 do
      local pool = world:pool { attemptTimeout = 200 }
      local load = round == 1 and workload.new(world, pool) or nil
      local futures = {}
      for i = 1, 40 do
        futures[i] = world:spawn(function()
          for n = 1, 200 do
            local result, err = pool:execute("SELECT k, v FROM rows WHERE k = ?", { "row-" .. n % 40 + 1 })
            if not result and err.code == "CLOSED" then return true end
          end
          return true
        end)
      end
      moonpool.sleep(world.random(40))
      world.cluster:kill(round % 3 + 1)
      world.cluster:addNode()
      pool:reload()
      moonpool.sleep(world.random(40))
      assert(pool:close())
      assert(moonpool.all(futures))
      world.cluster:start(round % 3 + 1)
      if load then assert.equal(load.submitted, load.finished) end
    end
  end)
end)
