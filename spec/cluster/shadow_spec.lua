-- SPDX-License-Identifier: Apache-2.0
-- The shadow: a policy that is asked beside the one in force. Whatever it is, no request is another one for it; what it
-- says is compared as it stood when the request was planned; its errors, its fuel and its file are its own.
local config_file = require "spec.support.config_file"
local control = require "moonpool.cli.control"
local core = require "moonpool.core_loader"
local hunted = require "spec.hunt.policies"
local json = require "moonpool.cli.json"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local random = require "spec.hunt.random"
local shadow_lines = require "moonpool.cli.shadow_lines"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local READ = "SELECT v FROM t WHERE id = ?"

local folder
local function file(name) return folder .. "/" .. name end

local function write(name, text)
  policies.write(file(name), text)
  return file(name)
end
local function plans(name, body) return ("return balance { name = %q, plan = function(plan, req) %s end }"):format(name,
  body) end

-- Of a pool whose every request is shown to the shadow: `body` is its plan, or the name or table of a policy.
local function shadowed(world, shadow, extra)
  extra = extra or {}
  local balance = { shadow = shadow, shadowShare = shadow and 1 or nil }
  for key, value in pairs(extra.loadBalancing or {}) do balance[key] = value end
  extra.loadBalancing = balance
  world:schema "CREATE TABLE IF NOT EXISTS ks.t (id int PRIMARY KEY, v text)"
  return world:pool(extra)
end

local function ask(pool, count, options)
  for i = 1, count do assert(pool:execute(READ, { i }, options)) end
  moonpool.sleep(10)
end

local function agreement(pool) return pool:policies().shadow.agreement end
local function example(pool, difference)
  for _, each in ipairs(agreement(pool).examples) do
    if each.difference == difference then return each end
  end
end

-- What has been found since the last look at it, of `count` requests more.
local function found(pool, count, options)
  local before = agreement(pool)
  ask(pool, count, options)
  local after, differences = agreement(pool), {}
  for name, times in pairs(after.differences) do
    local more = times - (before.differences[name] or 0)
    if more > 0 then differences[name] = more end
  end
  assert.equal(count, after.asked - before.asked)
  return differences
end

-- A placement that is still being computed would be another one when the shadow is asked.
local function settle(pool)
  assert(pool:execute(READ, { 0 }))
  moonpool.sleep(500)
end

local function around(name, options, body)
  it_in(name, options, function(world)
    folder = policies.folder()
    local ok, why = pcall(body, world)
    policies.remove(folder)
    if not ok then error(why, 0) end
  end)
end

-- ---- no request is another one ----------------------------------------------------------------------------

local STEPS = { "plan:replicas(localDc, shuffled)", "plan:replicas(allDcs, leastLoaded)", "plan:hosts(localDc, inTurn)",
  "plan:hosts(remoteDcs, inTurn, 1)", "plan:hosts(allDcs, weighted)", "plan:hosts(localDc, fastest)",
  "plan:avoidSlow(1.5)", "plan:only(tagged 'a')", "plan:avoid(near)", "plan:allowAll()",
  "plan:child(req)", "if chance(0.3) then plan:refuse() end", "asked = asked + 1", "log 'asked'",
  "if req.tag == tags.a then plan:hosts(allDcs) end",
  "for _, host in hosts(allDcs) do if host.inFlight == 0 then plan:host(host) end end" }

local function sentence(r)
  local parts = {}
  for i = 1, 1 + r.below(5) do parts[i] = r.pick(STEPS) end
  return ("local asked, near = 0, listed { '127.0.0.2' } return balance { name = 'Some', "
    .. "options = { childPolicy = 'TokenAwarePolicy' }, plan = function(plan, req)\n%s\nend }"):format(
    table.concat(parts, "\n"))
end

-- Requests of many kinds, while nodes fail and come back. The same seed gives the same traffic.
local function traffic(world, pool)
  local r = world.random
  for round = 1, 4 do
    local futures = {}
    for i = 1, 40 do
      local key = { r(200) }
      futures[i] = r(3) == 0 and pool:executeAsync("INSERT INTO t (id, v) VALUES (?, 'x')", { key[1] })
        or pool:executeAsync(READ, key, { tag = r(4) == 0 and "a" or nil,
          consistency = r(2) == 0 and "LOCAL_QUORUM" or "ONE" })
      if i % 8 == 0 then moonpool.sleep(r(30)) end
    end
    for i = 1, 40 do futures[i]:wait() end
    if round == 2 then world.cluster:kill(3) elseif round == 3 then world.cluster:start(3) end
    if round == 3 then pool:setHostTags(world:host(1), { "a" }) end
  end
end

-- The hash of all that happened in a world with this seed.
local function happened(seed, balance, shadow)
  local asked
  local hash = worlds.run({ seed = seed, nodes = 5, dcs = 2 }, function(world)
    world:schema "CREATE TABLE IF NOT EXISTS ks.t (id int PRIMARY KEY, v text)"
    local pool = world:pool { loadBalancing = { policy = balance, shadow = shadow, shadowShare = shadow and 1 or nil },
      pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } } }
    if seed % 2 == 0 then pool:setHostTags(world:host(2), { "a" }) end
    traffic(world, pool)
    asked = pool:getStats().shadowAsked
  end)
  return hash, asked
end

describe("a shadow changes no request", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  for seed = 1, 10 do
    it("whatever it plans: the same traffic byte for byte, seed " .. seed, function()
      local r = random.new(seed)
      local balance = r.pick { "TokenAwarePolicy", "LeastLoadedPolicy", "RoundRobinPolicy", "LatencyAwarePolicy" }
      local path = write("some.lua", sentence(r))
      local plain, never = happened(seed, balance)
      local beside, asked = happened(seed, balance, path)
      assert.equal(plain, beside, policies.read(path))
      assert.equal(0, never)
      assert.is_true(asked > 100, "it was hardly asked")
    end)
  end

  -- One that fails is told of, which takes turns of the loop; so not the times, but where each request goes.
  local function places(seed, shadow)
    local list, errors = {}, nil
    worlds.run({ seed = seed }, function(world)
      world:schema "CREATE TABLE IF NOT EXISTS ks.t (id int PRIMARY KEY, v text)"
      local pool = world:pool { loadBalancing = { shadow = shadow, shadowShare = shadow and 1 or nil } }
      for i = 1, 60 do
        list[i] = assert(pool:execute(READ, { i }, { tag = i % 3 == 0 and "evil" or nil })).info.host
      end
      errors = pool:getStats().shadowErrors
    end)
    return list, errors
  end

  for name, body in pairs { loops = "while true do end", raises = "error 'oh'",
    calls = "local function f() return f() end f()", wants = "local t = {} for i = 1, 1e9 do t[i] = i end" } do
    it("whatever it does instead of planning: it " .. name, function()
      local path = write("evil.lua", plans("Evil",
        "plan:hosts(localDc) if req.tag == tags.evil then " .. body .. " end"))
      local beside, errors = places(3, path)
      assert.same(places(3), beside)
      assert.is_true(errors > 0)
    end)
  end

  it("whatever stands in its file", function()
    local tried = 0
    for seed = 1, 40 do
      local kind, text = hunted.generate(seed)
      local path = kind == "balance" and tried < 3 and write("hunt.lua", text)
      if path and core.checkPolicy("balance", path) then
        tried = tried + 1
        assert.same((places(seed)), (places(seed, path)), text)
      end
    end
    assert.is_true(tried > 0)
  end)
end)

-- ---- what it says -----------------------------------------------------------------------------------------

describe("a shadow is compared", function()
  for _, case in ipairs { { "TokenAwarePolicy" }, { "LeastLoadedPolicy" }, { "RoundRobinPolicy" },
    { "WeightedPolicy" }, { "LatencyAwarePolicy" }, { "TokenAwarePolicy", { preferLocalRack = true } } } do
    local name = case[1]
    it_in("with what it would have said then: " .. name .. " agrees with itself", { nodes = 6, dcs = 2, racks = 2 },
      function(world)
        local balance, shadow = { policy = name }, { policy = name }
        for key, value in pairs(case[2] or {}) do balance[key], shadow[key] = value, value end
        local pool = shadowed(world, shadow, { loadBalancing = balance, localRack = "rack1" })
        settle(pool)
        local before = agreement(pool)
        local futures = {}
        for i = 1, 300 do
          futures[i] = pool:executeAsync(READ, { i })
          if i % 20 == 0 then moonpool.sleep(world.random(3)) end
        end
        for i = 1, 300 do assert(futures[i]:wait()) end
        moonpool.sleep(50)
        local after = agreement(pool)
        assert.is_true(after.asked - before.asked > 200)
        assert.same({}, after.differences)
        assert.same({ 1, 1 }, { after.sameFirst, after.sameHosts })
        assert.equal(after.latencyMs, after.latencyMsServing)
      end)
  end

  around("host by host: all to one of three", {}, function(world)
    local pool = shadowed(world, write("one.lua", plans("One", "plan:hosts(localDc, primaryFirst)")),
      { loadBalancing = { policy = "RoundRobinPolicy" } })
    world:waitUp(pool)
    assert.same({ otherHost = 60 }, found(pool, 90))
    local own = pool:policies().shadow
    local of = own.agreement
    assert.equal(of.asked, of.differences.otherHost + math.floor(of.sameFirst * of.asked + 0.5))
    assert.same({ 1, 1, "One", 1, 0 }, { of.sameHosts, #of.examples, own.name, own.generation, own.errors })
    assert.equal(of.asked, own.calls)
    assert.is_true(own.fuelPerCall >= 0.5 and own.fuelPerCall <= 1.5, own.fuelPerCall)
    local last = of.examples[1]
    assert.same({ "otherHost", "read", "ks", "LOCAL_ONE", world:host(1) },
      { last.difference, last.kind, last.keyspace, last.consistency, last.shadow })
    assert.same({ "hosts of the local datacentre, primary first", "hosts of all datacentres, in turn" },
      { last.shadowStep, last.servingStep })
    assert.is_true(last.serving ~= world:host(1) and last.token ~= nil)
    local stats = pool:getStats()
    assert.same({ of.asked, of.asked - of.differences.otherHost, 0 }, { stats.shadowAsked, stats.shadowSameFirst,
      stats.shadowErrors })
    assert.same(of.differences, pool:getMetrics().shadow.differences)
    local text = (core.openMetrics({ pool }, { 1 }))
    assert.matches('moonpool_shadow_differences_total{pool="%d+",why="otherHost"} ' .. of.differences.otherHost, text)
    assert.matches("moonpool_shadow_asked_total{pool=\"%d+\"} " .. of.asked, text)
  end)

  around("by the first reason that is true", { nodes = 6, dcs = 2, racks = 3, rf = 1 }, function(world)
    local path = write("one.lua", plans("One", [[
      if req.tag == tags.away then plan:hosts(remoteDcs, inTurn)
      elseif req.tag == tags.nobody then plan:only(tagged "nobody") plan:hosts(allDcs)
      elseif req.tag == tags.silent then
      elseif req.tag == tags.refused then plan:refuse()
      elseif req.tag == tags.broken then error "broken"
      elseif req.tag == tags.rack then plan:hosts(sameRack) plan:hosts(localDc, primaryFirst)
      else plan:hosts(localDc, primaryFirst) end]]))
    local remote = { pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } }, localRack = "rack2" }
    local pool = shadowed(world, path, remote)
    world:waitUp(pool, 6)
    settle(pool)
    assert.same({ leftDatacenter = 30 }, found(pool, 30, { tag = "away" }))
    assert.same({ noHost = 30 }, found(pool, 30, { tag = "nobody" }))
    assert.same({ noAnswer = 30 }, found(pool, 30, { tag = "silent" }))
    assert.same({ refused = 30 }, found(pool, 30, { tag = "refused" }))
    assert.same({ error = 30 }, found(pool, 30, { tag = "broken" }))
    local plain = found(pool, 60)
    assert.is_true(plain.notReplica > 20 and plain.notReplica < 60)
    assert.is_nil(plain.otherHost) -- of one replica either it or another sort of host is first
    assert.is_true(pool:usePolicy("balance", write("rack.lua", plans("Rack", "plan:hosts(sameRack)"))))
    local elsewhere = write("first.lua", plans("First",
      "if req.tag == tags.rack then plan:hosts(sameRack) else plan:hosts(localDc, primaryFirst) end"))
    assert.is_true(pool:usePolicy("shadow", elsewhere, {}))
    moonpool.sleep(50)
    ask(pool, 40)
    assert.is_true(agreement(pool).differences.leftRack > 0)
    local here = write("away.lua", plans("Away", "plan:hosts(remoteDcs)"))
    assert.is_true(pool:usePolicy("balance", here))
    moonpool.sleep(50)
    ask(pool, 20)
    assert.equal(20, agreement(pool).differences.cameHome)
  end)

  around("about its share of the requests", {}, function(world)
    local pool = shadowed(world, "RoundRobinPolicy", { loadBalancing = { shadowShare = 0.1 } })
    ask(pool, 2000)
    assert.is_true(pool:getStats().shadowAsked > 150 and pool:getStats().shadowAsked < 250)
  end)

  around("with the policy in force alone while another one is on trial", {}, function(world)
    local all = { errorRate = false, p99 = false, attempts = false, busiestHost = false, leftDatacenter = false }
    local path = write("mine.lua", plans("Mine", "plan:hosts(localDc, primaryFirst)"))
    local pool = shadowed(world, write("same.lua", policies.read(path)), { loadBalancing = { policy = path,
      canary = { share = 0.5, lasting = "2s", requests = 1e6, abortIf = all } } })
    world:waitUp(pool)
    write("mine.lua", plans("Mine", "plan:hosts(localDc, inTurn)"))
    world.sim:touch(path)
    moonpool.sleep(200)
    for i = 1, 3000 do
      assert(pool:execute(READ, { i }))
      moonpool.sleep(1)
    end
    assert.equal("waiting", pool:canary("balance").state)
    assert.is_true(pool:getStats().canaryRequests > 10)
    assert.is_true(agreement(pool).asked > 1000)
    assert.same({}, agreement(pool).differences)
  end)

  around("about no more at a time than it has room for", {}, function(world)
    local pool = shadowed(world, "RoundRobinPolicy")
    settle(pool)
    local before, futures = pool:getStats(), {}
    for i = 1, 200 do futures[i] = pool:executeAsync(READ, { i }) end
    for i = 1, 200 do assert(futures[i]:wait()) end
    moonpool.sleep(100)
    local after = pool:getStats()
    local asked, missed = after.shadowAsked - before.shadowAsked, after.shadowMissed - before.shadowMissed
    assert.equal(200, asked + missed)
    assert.is_true(asked >= 30 and missed > 0, asked)
  end)

  around("by marks of its own: tags and lists", {}, function(world)
    local lists = {}
    for i = 1, 12 do lists[i] = ("local l%d = listed { '127.0.0.%d', 'x%d' }"):format(i, i % 3 + 1, i) end
    local path = write("marks.lua", table.concat(lists, "\n") .. "\n" .. plans("Marks", [[
      if req.tag == tags.list then plan:only(l1) plan:hosts(localDc)
      elseif req.tag == tags.all then
        plan:avoid(l1) plan:avoid(l2) plan:avoid(l3) plan:avoid(l4) plan:avoid(l5) plan:avoid(l6) plan:avoid(l7)
        plan:avoid(l8) plan:avoid(l9) plan:avoid(l10) plan:avoid(l11) plan:avoid(l12) plan:hosts(localDc)
      else plan:only(tagged "mine") plan:hosts(localDc) end]]))
    local mine = write("mine.lua", "local own = listed { '127.0.0.1' } " .. plans("Mine",
      "plan:only(own) plan:hosts(localDc)"))
    local pool = shadowed(world, path, { loadBalancing = { policy = mine } })
    world:waitUp(pool)
    assert(pool:setHostTags(world:host(2), { "mine" }))
    ask(pool, 10)
    assert.equal(world:host(2), example(pool, "otherHost").shadow)
    ask(pool, 5, { tag = "list" })
    assert.equal("127.0.0.2:9042", example(pool, "otherHost").shadow)
    assert.same({ noHost = 5 }, found(pool, 5, { tag = "all" }))
    -- These and the list in force would leave no room for the shadow's.
    for i = 1, 30 do assert(pool:setHostTags(world:host(3), { "tag" .. i })) end
    ask(pool, 10)
    assert(pool:setHostTags(world:host(3), { "mine" }))
    assert(pool:setHostTags(world:host(2), {}))
    local before = world.cluster:node(1).requests
    ask(pool, 10)
    assert.equal(world:host(3), example(pool, "otherHost").shadow)
    assert.equal(10, world.cluster:node(1).requests - before)
  end)
end)

-- ---- what goes wrong --------------------------------------------------------------------------------------

describe("a shadow that fails", function()
  around("fails alone, is told of once a second, and rests", {}, function(world)
    local pool = shadowed(world, write("bad.lua", plans("Bad",
      "if req.tag == tags.bad then error 'oh' end plan:hosts(allDcs)")))
    local told = world:listen(pool, "policyError")
    ask(pool, 3)
    ask(pool, 147, { tag = "bad" })
    local own, stats = pool:policies().shadow, pool:getStats()
    assert.same({ 100, true }, { own.errors, own.lastError:find("bad.lua:1: oh", 1, true) ~= nil })
    assert.equal(147, agreement(pool).differences.error)
    assert.same({ 0, 0, 147 }, { stats.policyFallbacks, stats.errors, stats.shadowErrors })
    assert.is_true(#told.policyError >= 1 and #told.policyError <= 5, #told.policyError)
    local event = told.policyError[1][1]
    assert.same({ "shadow", "Bad" }, { event.policy or event.kind, event.name })
    moonpool.sleep(1500)
    ask(pool, 10, { tag = "bad" })
    assert.equal(101, pool:policies().shadow.errors) -- one in a second
  end)

  around("by never coming to an end is stopped by its fuel, and rests", {}, function(world)
    local pool = shadowed(world, write("loop.lua", plans("Loop",
      "if req.tag == tags.loop then while true do end end plan:hosts(allDcs)")))
    ask(pool, 20, { tag = "loop" })
    local own = pool:policies().shadow
    assert.equal(4, own.errors)
    assert.matches("out of fuel", own.lastError, 1, true)
    assert.same({ 0, 0 }, { pool:getStats().policyFallbacks, pool:getStats().errors })
    moonpool.sleep(1500)
    ask(pool, 3)
    assert.equal(4, pool:policies().shadow.errors) -- it works again
    assert.equal(3, agreement(pool).asked - 20)
  end)

  around("does not let a pool begin, and says where and why", {}, function(world)
    local path = write("bad.lua", plans("Bad", "plan:nonsense()"))
    local ok, why = pcall(world.newPool, world, { loadBalancing = { shadow = path } })
    assert.is_false(ok)
    assert.matches("bad.lua:1: .*nonsense", tostring(why))
    ok, why = pcall(world.newPool, world, { loadBalancing = { shadow = { policy = "TokenAwarePolicy", nothing = 1 } } })
    assert.is_false(ok)
    assert.matches("loadBalancing.shadow.nothing", tostring(why), 1, true)
  end)
end)

-- ---- its life ---------------------------------------------------------------------------------------------

describe("the file of a shadow", function()
  around("is watched: a good one is asked from then on, a broken one is not", {}, function(world)
    local path = write("mine.lua", plans("First", "plan:hosts(localDc, primaryFirst)"))
    local pool = shadowed(world, path, { loadBalancing = { policy = "RoundRobinPolicy" } })
    local told = world:listen(pool, "policyReload", "policyError")
    world:waitUp(pool)
    ask(pool, 30)
    assert.is_true(agreement(pool).sameFirst < 0.5)
    write("mine.lua", plans("Second", "plan:hosts(allDcs, inTurn)"))
    world.sim:touch(path)
    moonpool.sleep(200)
    assert.same({ "Second", 2, 1 }, { pool:policies().shadow.name, pool:policies().shadow.generation,
      pool:policies().balance.generation })
    assert.equal(0, agreement(pool).asked) -- the figures are of a generation
    ask(pool, 30)
    assert.same({ 30, 1 }, { agreement(pool).asked, agreement(pool).sameFirst })
    assert.equal("shadow", told.policyReload[1][1].policy or told.policyReload[1][1].kind)
    write("mine.lua", "return balance {")
    world.sim:touch(path)
    moonpool.sleep(200)
    assert.same({ "Second", 1, 1 }, { pool:policies().shadow.name, pool:policies().shadow.refused, #told.policyError })
    assert.same({ true, 1 }, { pool:rollback "shadow" })
    ask(pool, 30)
    assert.equal("First", pool:policies().shadow.name)
    assert.is_true(agreement(pool).sameFirst < 0.5)
    assert.equal(1, pool:policies().balance.generation)
    assert.is_true(pool:reload() == nil) -- the file is still broken
    assert.equal("First", pool:policies().shadow.name)
  end)

  it_in("comes, changes and goes with a configuration that changes, while requests run", {}, function(world)
    config_file.around(function()
      local function balance(given) return { loadBalancing = given } end
      world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v text)"
      local pool, told = config_file.open(world, {})
      local load = config_file.start_load(world, pool)
      assert.is_nil(pool:policies().shadow)
      config_file.change(world, balance { shadow = "RoundRobinPolicy", shadowShare = 0.5 })
      moonpool.sleep(500)
      assert.equal("RoundRobinPolicy", pool:policies().shadow.name)
      assert.is_true(agreement(pool).asked > 10)
      config_file.change(world, balance { shadow = { policy = "TokenAwarePolicy", shuffleReplicas = false },
        shadowShare = 0.5 })
      moonpool.sleep(200)
      assert.equal("TokenAwarePolicy", pool:policies().shadow.name)
      assert.is_true(agreement(pool).asked > 0)
      config_file.change(world, balance { shadow = "NoSuchPolicy", shadowShare = 0.5 })
      assert.equal("TokenAwarePolicy", pool:policies().shadow.name)
      assert.equal(1, #told.configError)
      config_file.change(world, balance { shadow = { policy = "TokenAwarePolicy", shuffleReplicas = false },
        shadowShare = 0 })
      local asked = pool:getStats().shadowAsked
      moonpool.sleep(200)
      assert.equal(asked, pool:getStats().shadowAsked)
      assert.is_nil(pool:policies().shadow.agreement)
      config_file.change(world, {})
      assert.same({}, { pool:policies().shadow, pool:getMetrics().shadow })
      config_file.change(world, balance { shadow = "RoundRobinPolicy", shadowShare = 1 })
      moonpool.sleep(200)
      assert.is_true(agreement(pool).asked > 0)
      local _, err = pool:rollback "shadow"
      assert.equal("NOT_FOUND", err.code)
      load.finish()
      assert.equal(0, pool:getStats().errors)
    end)
  end)

  around("is put beside a pool that runs by usePolicy, and taken away", {}, function(world)
    local pool = shadowed(world, nil)
    assert.is_true(pool:usePolicy("shadow", "RoundRobinPolicy"))
    ask(pool, 500)
    assert.is_true(agreement(pool).asked > 0) -- of a hundred requests one
    assert.equal(0, pool:policies().shadow.errors)
    assert.is_true(pool:usePolicy "shadow")
    assert.is_nil(pool:policies().shadow)
  end)

  around("wants a signature where files of policies do", {}, function(world)
    local pem, key = core.newSigningKey()
    local text = plans("Mine", "plan:hosts(localDc)")
    local path = write("mine.lua", text)
    local keys = { "ed25519 " .. key }
    local ok, why = pcall(world.newPool, world, { loadBalancing = { shadow = path }, policyKeys = keys })
    assert.is_false(ok)
    assert.matches("mine.lua: it is not signed", tostring(why), 1, true)
    write("mine.lua.sig", "ed25519 " .. assert(core.signText(pem, text)) .. "\n")
    local pool = shadowed(world, path, { policyKeys = keys })
    ask(pool, 5)
    assert.equal(5, agreement(pool).asked)
  end)
end)

describe("what a shadow says", function()
  around("is printed for people, and an answer at the control socket", {}, function(world)
    local pool = shadowed(world, write("one.lua", plans("One", "plan:hosts(localDc, primaryFirst)")),
      { loadBalancing = { policy = "RoundRobinPolicy" } })
    world:waitUp(pool)
    ask(pool, 30)
    local lines = shadow_lines.of(pool:policies().shadow)
    assert.matches("^the shadow One was asked about %d+ requests: 3%d%.%d %% the same first host, 100%.0 %%", lines[1])
    assert.matches("its first hosts had shown %d", lines[2])
    assert.matches("ticks of fuel", lines[3])
    assert.matches("^  otherHost +%d+ %(6%d%.%d %%%), the last: .* read ks .*, the shadow 127.0.0.1:9042 %(hosts of",
      lines[4])
    local answer = json.decode(control.answer '{"verb":"policies"}')
    for _, each in ipairs(answer.pools) do
      if each.policies.shadow then assert.equal(1, #each.policies.shadow.agreement.examples) end
    end
  end)
end)
