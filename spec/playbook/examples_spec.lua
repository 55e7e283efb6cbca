-- SPDX-License-Identifier: Apache-2.0
-- The playbooks of examples/playbooks on a simulated cluster: the same outage with and without them. The table of
-- docs/playbooks.md is made of these figures; MOONPOOL_TELL=1 prints them.
local moonpool = require "moonpool"
local playbooks = require "spec.playbook.support.files"
local worlds = require "spec.support.world"

local function example(name) return MOONPOOL_ROOT .. "/examples/playbooks/" .. name .. ".lua" end

-- Traffic for `ms`: { asked, failed, slow = those over 100 ms, p99 }.
local function traffic(pool, ms, options)
  local latencies, result = {}, { asked = 0, failed = 0, slow = 0 }
  local till = moonpool.now() + ms
  local workers = {}
  for i = 1, 4 do
    workers[i] = moonpool.spawn(function()
      while moonpool.now() < till do
        local began = moonpool.now()
        local answer = pool:execute("SELECT key FROM system.local", nil, options)
        local took = moonpool.now() - began
        result.asked = result.asked + 1
        if not answer then result.failed = result.failed + 1 end
        if took > 100 then result.slow = result.slow + 1 end
        latencies[#latencies + 1] = took
        moonpool.sleep(100)
      end
      return true
    end)
  end
  assert(moonpool.all(workers))
  table.sort(latencies)
  result.p99 = latencies[math.ceil(#latencies * 0.99)]
  return result
end

local function tell(name, with, without)
  if not os.getenv "MOONPOOL_TELL" then return end
  for which, result in pairs { with = with, without = without } do
    io.stderr:write(("%-20s %-8s %6d requests %5d failed %5d over 100 ms, p99 %.1f ms\n"):format(name, which,
      result.asked, result.failed, result.slow, result.p99))
  end
end

-- The same world twice, `outage(world, pool)` in each: what it returns with the playbook and without.
local function compare(name, options, configuration, outage)
  local results = {}
  for _, which in ipairs { "without", "with" } do
    worlds.run(options, function(world)
      local given = { requestTimeout = 4000, attemptTimeout = 1000 }
      for key, value in pairs(configuration) do given[key] = value end
      if which == "with" then given.playbooks = { example(name), dryRun = false } end
      local pool = world:pool(given)
      world:waitUp(pool)
      results[which] = outage(world, pool)
      results[which .. "Steps"] = playbooks.steps(pool)
      pool:close()
    end)
  end
  tell(name, results.with, results.without)
  return results.with, results.without, results.withSteps
end

describe("the playbook", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  it("slowHost takes out the host that is slow, and most requests are fast again", function()
    local with, without, steps = compare("slow_host", { nodes = 4 }, {
      loadBalancing = { policy = "RoundRobinPolicy" } }, function(world, pool)
        world.sim:latency(150, 0, 2)
        traffic(pool, 60000)
        local during = traffic(pool, 60000)
        world.sim:latency(0.25, 0, 2)
        return during
      end)
    assert.matches("pause: ok", table.concat(steps, "\n"), 1, true)
    assert.is_true(without.slow > without.asked / 8)
    assert.is_true(with.slow < without.slow / 5, with.slow .. " with, " .. without.slow .. " without")
    assert.equal(0, with.failed)
  end)

  it("datacentreFailover moves to the other datacentre and back", function()
    local with, without, steps = compare("datacentre_failover", { nodes = 4, dcs = 2 }, {
      requestTimeout = 1000, attemptTimeout = 400,
      loadBalancing = { policy = "DCAwareRoundRobinPolicy", usedHostsPerRemoteDc = 2 },
      failover = { allowLocalConsistency = true },
      pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 }, maxConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } },
    }, function(world, pool)
      local home = {}
      for node = 1, 4 do
        if select(2, world:status(pool, node)).datacenter == "datacenter1" then home[#home + 1] = node end
      end
      for _, node in ipairs(home) do world.cluster:kill(node) end
      local during = traffic(pool, 120000, { consistency = "LOCAL_ONE" })
      for _, node in ipairs(home) do world.cluster:start(node) end
      moonpool.sleep(10000)
      return during
    end)
    assert.matches("switchDatacenter: ok", table.concat(steps, "\n"), 1, true)
    assert.is_true(without.failed > without.asked * 0.9, without.failed .. " of " .. without.asked)
    assert.is_true(with.failed < with.asked / 4, with.failed .. " of " .. with.asked)
  end)

  it("rollingRestart spares a node with empty caches", function()
    local with, without, steps = compare("rolling_restart", { nodes = 3 }, {
      loadBalancing = { policy = "WeightedPolicy" } }, function(world, pool)
      for _, each in ipairs(pool:playbooks()) do assert.equal("rollingRestart", each.name) end
      world.cluster:kill(2)
      world:waitStatus(pool, 2, "down")
      world.sim:latency(120, 0, 2)
      world.cluster:start(2)
      world:waitStatus(pool, 2, "up")
      local during = traffic(pool, 40000)
      world.sim:latency(0.25, 0, 2)
      return during
    end)
    assert.matches("resume: ok", table.concat(steps, "\n"), 1, true)
    assert.is_true(with.slow < without.slow * 0.6, with.slow .. " with, " .. without.slow .. " without")
  end)

  it("connectionStorm lets a host rest that loses its connections", function()
    local lost = {}
    local _, _, steps = compare("connection_storm", { nodes = 4 }, {}, function(world, pool)
      local told = world:listen(pool, "connectionLost")
      world.cluster:rule { node = 3, statement = "SELECT key", close = true }
      local during = traffic(pool, 120000, { isIdempotent = true })
      lost[#lost + 1] = #told.connectionLost
      world.cluster:clearRules()
      return during
    end)
    assert.matches("drain: ok", table.concat(steps, "\n"), 1, true)
    assert.is_true(lost[2] < lost[1] * 0.6, lost[2] .. " lost with, " .. lost[1] .. " without")
    if os.getenv "MOONPOOL_TELL" then io.stderr:write(("connections lost: %d, %d\n"):format(lost[2], lost[1])) end
  end)

  it("lostNode lets a node that comes back warm up, and goes on when it is away again", function()
    local _, _, steps = compare("lost_node", { nodes = 3 }, {}, function(world, pool)
      world.cluster:kill(2)
      traffic(pool, 40000)
      world.cluster:start(2)
      return traffic(pool, 90000)
    end)
    assert.same({ "begin", "log", "pause: ok", "waitUntil: ok", "probe: ok", "resume: ok", "sleep: ok", "resume: ok",
      "end: done" }, steps)
  end)
end)
