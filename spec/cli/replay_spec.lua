-- SPDX-License-Identifier: Apache-2.0
-- moonpool replay: a log that a pool wrote in a simulated world, asked of the policy that made it and of others.
local cjson = require "cjson"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local replay = require "moonpool.prove.replay"
local without_world = it
local it = require("spec.support.world").inside(it)

local folder

local function write(name, text)
  policies.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

local ABROAD = [[return balance { name = "Abroad", options = { share = 1 }, plan = function(plan, req, options)
  if req.tag == tags.scan and chance(options.share) then plan:hosts(remoteDcs, inTurn) end
  plan:replicas(localDc, shuffled)
  plan:hosts(localDc, inTurn)
end }]]
local FAILS = [[return balance { name = "Fails", plan = function(plan, req)
  if req.hasToken and req.keyspaceId == keyspaces.ks then error "no" end
  plan:hosts(localDc, inTurn)
end }]]

-- A log of requests of every kind on a cluster that has troubles, by a policy of the built-in ones.
local function record(world, name, loadBalancing)
  world:schema "CREATE TABLE ks.users (id int PRIMARY KEY, name text)"
  local path = folder .. "/" .. name
  local pool = world:pool { decisionLog = { sample = 1, file = path }, loadBalancing = loadBalancing,
    localRack = "rack1", pooling = { coreConnectionsPerHost = { ["1"] = 1 } } }
  world:eventually("hosts are up", function() return world:upCount(pool) >= 4 end)
  local read = assert(pool:prepare "SELECT name FROM users WHERE id = ?")
  local write_one = assert(pool:prepare "INSERT INTO users (id, name) VALUES (?, 'x')")
  assert(pool:execute(read, { 1 }))
  moonpool.sleep(200)
  local random, nodes = world.random, #world.cluster:nodes()
  for round = 1, 12 do
    local node = 1 + random(nodes)
    if round % 4 == 1 then world.sim:latency(1 + random(30), 0, node) end
    if round % 4 == 2 then assert(pool:setHostTags(world:host(node), { "a", random(2) == 0 and "b" or nil })) end
    if round % 4 == 3 then assert(pool:setHostWeight(world:host(node), random(100) / 10)) end
    if round == 8 then world.cluster:kill(node) end
    local futures = {}
    for i = 1, 15 do
      local options = { tag = ({ "scan", "batch" })[random(4)], consistency = ({ "ONE", "LOCAL_QUORUM" })[random(3)] }
      futures[i] = pool:executeAsync(random(3) == 0 and write_one or read, { random(500) }, options)
    end
    for _, future in ipairs(futures) do future:wait() end
    moonpool.sleep(50)
  end
  pool:close()
  return path
end

local log

describe("moonpool replay", function()
  setup(function() folder = policies.folder() end)
  teardown(function() policies.remove(folder) end)

  local asked = {
    { "TokenAwarePolicy" }, { "TokenAwarePolicy", "usedHostsPerRemoteDc = 2" }, { "RoundRobinPolicy" },
    { "LeastLoadedPolicy" }, { "LatencyAwarePolicy" }, { "WeightedPolicy" }, { "RegionPriorityPolicy" },
    { "TokenAwarePolicy", "preferLocalRack = true" },
  }
  for i, policy in ipairs(asked) do
    it("finds no difference when the same policy is asked again: " .. table.concat(policy, " "),
      { nodes = 8, dcs = 2, racks = 2, rf = 2, seed = i }, function(world)
        local section = { policy = policy[1] }
        for name, value in (policy[2] or ""):gmatch "(%w+) = (%w+)" do
          section[name] = value == "true" or tonumber(value)
        end
        local path = record(world, "same" .. i, section)
        if i == 1 then log = path end
        local self = assert(replay.new(policy[1], policy[2]))
        assert(self:file(path))
        assert.is_true(self.decisions > 150, self.decisions .. " decisions")
        local _, first = next(self:telling())
        assert.equal(0, self.differ, first and cjson.encode { then_ = first.record.plan, now = first.found.plan,
          steps = first.record.steps, now_steps = first.found.steps })
        assert.same({ 0, 0 }, { self.skipped, self.errors })
        local figures = self:figures()
        for _, name in ipairs { "leftDatacenter", "atReplica", "latencyMs", "busiestHost", "noHost" } do
          assert.equal(figures[name .. "Before"], figures[name], name)
        end
      end)
  end

  without_world("counts what another policy would have changed, with the steps of both", function()
    local self = assert(replay.new(write("abroad.lua", ABROAD)))
    assert(self:file(log))
    local figures, scans = self:figures(), 0
    for line in io.lines(log) do
      if cjson.decode(line).request.tag == "scan" then scans = scans + 1 end
    end
    assert.is_true(scans > 10)
    assert.equal(scans, figures.differing)
    assert.equal(0, figures.leftDatacenterBefore)
    assert.is_true(math.abs(figures.leftDatacenter - scans / self.decisions) < 1e-9)
    for _, reason in ipairs(self:reasons()) do
      assert.matches("local datacentre.*  %->  hosts of the remote datacentres, in turn", reason.why)
    end
    local telling = self:telling()
    assert.equal(10, #telling)
    for _, entry in ipairs(telling) do assert.equal("scan", entry.record.request.tag) end
    local load = self:load()
    local sum = 0
    for _, pair in pairs(load.hosts) do sum = sum + pair[2] end
    assert.is_true(math.abs(sum - 1) < 1e-9)
    assert.equal(1, load.datacenters.datacenter1[1])
    local none = assert(replay.new(folder .. "/abroad.lua", "share = 0"))
    assert(none:file(log))
    assert.equal(0, none:figures().leftDatacenter) -- it draws all the same, so it shuffles scans otherwise
    assert.is_true(none.differ <= scans)
  end)

  without_world("asks on when the policy fails, and says so", function()
    local self = assert(replay.new(write("fails.lua", FAILS)))
    assert(self:file(log))
    assert.is_true(self.errors > 0)
    assert.matches("fails.lua:2: no", self.last_error, 1, true)
    assert.is_true(self:figures().fallbacks > 0)
  end)

  without_world("refuses what it does not know, and passes over what is no record", function()
    local nothing, why = replay.new(write("broken.lua", "return balance {"))
    assert.is_nil(nothing)
    assert.matches("broken.lua:1", why, 1, true)
    local self = assert(replay.new "RoundRobinPolicy")
    local strange = { "", "{", "[]", "null", "1", '{"hosts":1,"request":2}', '{"version":1,"hosts":[1],"request":{}}',
      '{"version":1,"hosts":[{"slot":99999}],"request":{}}', '{"version":1,"hosts":[],"request":{"consistency":"X"}}',
      '{"version":1,"hosts":[{"datacenter":"' .. ("d"):rep(300) .. '"}],"request":{}}' }
    assert(self:file(write("strange", table.concat(strange, "\n") .. "\n")))
    assert.same({ 0, #strange }, { self.decisions, self.skipped })
    local ok, message = pcall(self.file, self, write("next", '{"version":2,"hosts":[],"request":{}}\n'))
    assert.is_false(ok)
    assert.matches("next:1: a record of version 2", message, 1, true)
  end)

  without_world("takes a record of any shape without harm", function()
    local random = require("spec.support.world").random(7)
    local self = assert(replay.new "TokenAwarePolicy")
    local values = { 0, -1, 1e300, "x", "", true, {}, { {} }, "LOCAL_ONE", 70000, 0.5, ("n"):rep(70), cjson.null }
    local function any() return values[1 + random(#values)] end
    for i = 1, 400 do
      local hosts = {}
      for n = 1, random(5) do
        hosts[n] = { host = any(), slot = any(), datacenter = any(), rack = any(), state = any(), replica = any(),
          inFlight = any(), latencyUs = any(), latencyAgeMs = any(), weight = any(), tags = any(), isLocal = any() }
      end
      pcall(self.record, self, { version = 1, hosts = hosts, turn = any(), chance = any(), localDatacenter = any(),
        request = { kind = any(), token = any(), consistency = random(2) == 0 and "ONE" or any(), tag = any(),
          keyspace = any() } }, "random:" .. i)
    end
    assert(self:file(log)) -- and is none the worse for it
  end)

  without_world("is a command: text, JSON, and a status for CI", function()
    local function run(arguments)
      return program.sh(("'%s' replay %s"):format(program.moonpool, arguments))
    end
    local abroad = write("abroad.lua", ABROAD)
    local said, status = run(("--policy %s %s"):format(abroad, log))
    assert.equal(0, status, said)
    assert.matches("asked of Abroad", said, 1, true)
    assert.matches("left the datacentre +0%.0 %% +%d+%.%d %%", said)
    assert.matches("then +127%.0%.0%.%d:9042 +datacenter1/rack%d .-\n +now +127%.0%.0%.%d:9042 +datacenter2/", said)
    said, status = run(("--policy %s --json --fail-if 'leftDatacenter > 0.01' %s 2>/dev/null"):format(abroad, log))
    assert.equal(1, status)
    local answer = cjson.decode(said)
    assert.is_true(answer.failed)
    assert.is_true(answer.figures.leftDatacenter > 0.01)
    assert.equal(10, #answer.differences)
    assert.equal(0, select(2, run(("--policy %s --fail-if 'errors > 0' %s"):format(abroad, log))))
    said, status = run(("--policy %s --fail-if 'leftDatacentre > 0' %s"):format(abroad, log))
    assert.equal(2, status)
    assert.matches("did you mean leftDatacenter", said, 1, true)
    said, status = run(("--policy %s --fail-if 'while true do end' %s"):format(abroad, log))
    assert.equal(2, status, said)
    said, status = run("--policy RoundRobinPolicy " .. folder .. "/none")
    assert.equal(1, status)
    assert.matches("none", said, 1, true)
    assert.equal(2, select(2, run(log)))
    assert.equal(1, select(2, run("--policy NoSuchPolicy " .. log)))
  end)
end)
