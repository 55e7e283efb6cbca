-- SPDX-License-Identifier: Apache-2.0
-- Each key of a configuration that can change under a running pool does so while requests run, and none is lost.
local moonpool = require "moonpool"
local change_of = require "moonpool.config.change"
local config_file = require "spec.support.config_file"
local policies = require "spec.support.policies"
local schema = require "moonpool.config.schema"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)
local none = worlds.none

local file, open, change, around = config_file.file, config_file.open, config_file.change, config_file.around
local start_load, connections, ids = config_file.start_load, config_file.connections, config_file.ids
local all_new, policy = config_file.all_new, config_file.policy

local function busy_hosts(world, pool)
  local before, count = {}, 0
  for node = 1, world.nodes do before[node] = world.cluster:node(node).requests end
  for _ = 1, 60 do assert(pool:execute "SELECT v FROM t WHERE id = 1") end
  for node = 1, world.nodes do count = count + (world.cluster:node(node).requests > before[node] and 1 or 0) end
  return count
end

local function breaker(world, pool)
  local _, host = world:status(pool, 2)
  return host.breaker
end

-- Node 2 is asked `asked` times, each in vain.
local function overload(world, pool, asked)
  world.cluster:rule { node = 2, statement = "FROM t WHERE id = 1", error = "OVERLOADED" }
  for _ = 1, asked or 0 do pool:execute("SELECT v FROM t WHERE id = 1", nil, { host = world:host(2) }) end
end

local function breaks(world, pool, most)
  overload(world, pool, most)
  assert.equal("open", breaker(world, pool))
end

-- key, what the configuration has before and after, and the proof.
local live = {
  { "addressTranslator", {}, { addressTranslator = { ["10.0.0.3"] = "127.0.0.3" } },
    function(world, pool) world:waitUp(pool, 3) end, nil,
    { up = 2, begin = function(world) world.cluster:advertise(3, "10.0.0.3") end } },
  { "addressTranslator", { addressTranslator = { ["10.0.0.3:9042"] = "127.0.0.3" } },
    { addressTranslator = { ["10.0.0.3:9042"] = "127.0.0.13:9042" } },
    function(world, pool)
      world.cluster:setAddress(3, "127.0.0.13")
      world:eventually("it is reached elsewhere", function()
        for _, host in ipairs(pool:getHosts()) do
          if host.address == "127.0.0.13:9042" and host.status == "up" then return true end
        end
      end, 20000)
    end, nil, { begin = function(world) world.cluster:advertise(3, "10.0.0.3") end } },
  { "auth.required", { auth = { username = "ana", password = "secret", required = false } },
    { auth = { username = "ana", password = "secret", required = true } },
    function(world, pool)
      world.cluster:kill(3)
      world:eventually("it is down", function() return world:upCount(pool) == 2 end)
      world.cluster:start(3)
      moonpool.sleep(5000)
      assert.equal(2, world:upCount(pool)) -- it asks for none
    end, nil, { quiet = true } },
  { "pooling.enableMetrics", {}, { pooling = { enableMetrics = false } },
    function(_, pool) assert.is_nil(pool:getMetrics().requestsPerSecond) end },
  { "pooling.metricsInterval", {}, { pooling = { metricsInterval = 2000 } },
    function(_, pool)
      moonpool.sleep(4000)
      assert.is_true(pool:getMetrics().window < 2500)
    end },
  { "compression", {}, { compression = "lz4" },
    function(world, pool)
      world:eventually("all are new", function() return all_new(world.before.pool_ids, (ids(pool))) end)
      local text = ("y"):rep(20000)
      local before = world.cluster:node(1).bytesIn
      assert(pool:execute("INSERT INTO t (id, v) VALUES (5, ?)", { text }, { host = world:host(1) }))
      assert.is_true(world.cluster:node(1).bytesIn < before + #text)
      assert.equal(text, assert(pool:execute "SELECT v FROM t WHERE id = 5"):first().v)
    end, nil, { quiet = true } },
  { "contactPoints", { contactPoints = { "127.0.0.1" } }, { contactPoints = { "fresh.example" } },
    function(world, pool)
      for node = 1, 3 do world.cluster:kill(node) end
      world.sim:setName("fresh.example", "127.0.0.9")
      local node = world.cluster:addNode { address = "127.0.0.9" }
      world:eventually("the new contact point is found", function()
        return world:status(pool, node) == "up"
      end, 60000)
      for n = 1, 3 do world.cluster:start(n) end
      world:waitUp(pool, 4, 60000)
    end, nil, { quiet = true } },
  { "localRack", { loadBalancing = { policy = "Rack" }, localRack = "rack1" },
    { loadBalancing = { policy = "Rack" }, localRack = "rack2" },
    function(world, pool)
      local before = world.cluster:node(2).requests
      for _ = 1, 20 do assert(pool:execute "SELECT v FROM t WHERE id = 1") end
      assert.is_true(world.cluster:node(2).requests >= before + 20)
    end, nil, { racks = 3, policy = policy("Rack", "plan:hosts(sameRack, inTurn) plan:hosts(localDc, inTurn)") } },
  { "requestTimeout", { requestTimeout = 20000 }, { requestTimeout = 700 },
    function(world, pool)
      local slow = world.cluster:rule { statement = "slow", delay = 3000 }
      local since = moonpool.now()
      local result, err = pool:execute "INSERT INTO t (id, v) VALUES (1, 'slow')"
      assert.is_nil(result)
      assert.equal("TIMEOUT", err.code)
      assert.near(700, moonpool.now() - since, 30)
      slow:remove()
    end },
  { "attemptTimeout", { requestTimeout = 20000, attemptTimeout = 10000 },
    { requestTimeout = 20000, attemptTimeout = 300 },
    function(world, pool)
      local slow = world.cluster:rule { statement = "slow", delay = 3000, times = 1 }
      local since = moonpool.now()
      assert(pool:execute "SELECT v FROM t WHERE id = 1 /* slow */")
      assert.near(300, moonpool.now() - since, 30)
      slow:remove()
    end },
  { "maxQueuedRequests", { maxQueuedRequests = 5000, pooling = { maxRequestsPerConnection = 8 } },
    { maxQueuedRequests = 0, pooling = { maxRequestsPerConnection = 8 } },
    function(world, pool)
      local slow = world.cluster:rule { statement = "slow", delay = 100 }
      local futures, busy = {}, 0
      for i = 1, 500 do futures[i] = pool:executeAsync "SELECT v FROM t WHERE id = 1 /* slow */" end
      for i = 1, 500 do
        local _, err = futures[i]:wait()
        busy = busy + (err and err.code == "POOL_BUSY" and 1 or 0)
      end
      assert.is_true(busy > 100)
      slow:remove()
    end, nil, { quiet = true } },
  { "pooling.enableBatching", {}, { pooling = { enableBatching = true } },
    function(world, pool) assert.is_true(world:merges(pool) > 0) end,
    function(world, pool) assert.equal(0, world:merges(pool)) end },
  { "pooling.batchSize", { pooling = { enableBatching = true } },
    { pooling = { enableBatching = true, batchSize = 2 } },
    function(world, pool) assert.is_true(world:merges(pool) >= 20) end,
    function(world, pool) assert.is_true(world:merges(pool) < 5) end },
  { "pooling.batchTimeout", { pooling = { enableBatching = true } },
    { pooling = { enableBatching = true, batchTimeout = 50 } },
    function(world, pool)
      world:merges(pool)
      local since = moonpool.now()
      world:merges(pool)
      assert.is_true(moonpool.now() - since >= 50)
    end },
  { "defaults.traceQuery", {}, { defaults = { traceQuery = true } },
    function(_, pool) assert.is_string(assert(pool:execute "SELECT v FROM t WHERE id = 1").info.traceId) end,
    function(_, pool) assert.is_nil(assert(pool:execute "SELECT v FROM t WHERE id = 1").info.traceId) end },
  { "profiles.traced.traceQuery", {}, { profiles = { traced = { traceQuery = true } } },
    function(_, pool)
      local result = assert(pool:execute("SELECT v FROM t WHERE id = 1", nil, { profile = "traced" }))
      assert.is_string(result.info.traceId)
    end,
    function(_, pool)
      assert.is_false((pcall(pool.execute, pool, "SELECT v FROM t WHERE id = 1", nil, { profile = "traced" })))
    end },
  { "clientTimestamps", { clientTimestamps = false, attemptTimeout = 200 },
    { clientTimestamps = true, attemptTimeout = 200 },
    function(world, pool) assert.equal("new", world:late_write(pool)) end,
    function(world, pool) assert.equal("old", world:late_write(pool)) end },
  { "maxPreparedStatements", {}, { maxPreparedStatements = 1 },
    function(world, pool)
      local before = world.prepares()
      for _ = 1, 5 do
        assert(pool:execute("SELECT v FROM t WHERE id = ?", { 1 }))
        assert(pool:execute("SELECT id FROM t WHERE id = ?", { 1 }))
      end
      assert.is_true(world.prepares() >= before + 8)
    end },
  { "loadBalancing", { loadBalancing = { policy = "RoundRobinPolicy" } }, { loadBalancing = { policy = "First" } },
    function(world, pool)
      assert.equal(3, world.before.busy)
      assert.equal("First", pool:policies().balance.name)
      assert.equal(1, busy_hosts(world, pool))
    end, nil, { policy = policy("First", "plan:hosts(localDc, primaryFirst)"), busy = true } },
  { "loadBalancing", { loadBalancing = { policy = "TokenAwarePolicy" } },
    { loadBalancing = { policy = "TokenAwarePolicy", shuffleReplicas = false } },
    function(_, pool) assert.equal(2, pool:policies().balance.generation) end },
  { "loadBalancing.shadow", {}, { loadBalancing = { shadow = "RoundRobinPolicy", shadowShare = 1 } },
    function(_, pool)
      moonpool.sleep(100)
      assert.equal("RoundRobinPolicy", pool:policies().shadow.name)
      assert.is_true(pool:getStats().shadowAsked > 10)
    end },
  { "loadBalancing.shadowShare", { loadBalancing = { shadow = "RoundRobinPolicy", shadowShare = 0 } },
    { loadBalancing = { shadow = "RoundRobinPolicy", shadowShare = 1 } },
    function(_, pool)
      moonpool.sleep(100)
      assert.is_true(pool:getStats().shadowAsked > 10)
    end },
  { "retry", {}, { retry = { policy = "FallthroughRetryPolicy" } },
    function(world, pool)
      assert.equal("FallthroughRetryPolicy", pool:policies().retry.name)
      local rule = world.cluster:rule { statement = "bad", error = "UNAVAILABLE" }
      local _, err = pool:execute "SELECT v FROM t WHERE id = 1 /* bad */"
      assert.equal(1, #err.attempts)
      rule:remove()
    end },
  { "retry", { retry = { policy = "FallthroughRetryPolicy" } }, {},
    function(world, pool)
      local rule = world.cluster:rule { statement = "bad", error = "OVERLOADED" }
      local _, err = pool:execute "SELECT v FROM t WHERE id = 1 /* bad */"
      assert.is_true(#err.attempts > 1)
      rule:remove()
    end },
  { "reconnection", { pooling = { reconnectBaseDelay = 60000, reconnectMaxDelay = 60000 } },
    { reconnection = { policy = "ConstantReconnectionPolicy", delay = 100 } },
    function(world, pool)
      assert.equal("ConstantReconnectionPolicy", pool:policies().reconnect.name)
      world.cluster:kill(3)
      moonpool.sleep(2000)
      local before = pool:getStats().connectionErrors
      moonpool.sleep(2000)
      assert.is_true(pool:getStats().connectionErrors >= before + 15)
      world.cluster:start(3)
    end, nil, { quiet = true } },
  { "speculativeExecution", { attemptTimeout = 2000 }, { attemptTimeout = 2000,
    speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 50 } },
    function(world, pool)
      local slow = world.cluster:rule { statement = "slow", delay = 1000, times = 1 }
      local since = moonpool.now()
      assert(pool:execute "SELECT v FROM t WHERE id = 1 /* slow */")
      assert.is_true(moonpool.now() - since < 200)
      slow:remove()
    end },
  { "speculativeExecution", { attemptTimeout = 2000,
    speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 50 } }, { attemptTimeout = 2000 },
    function(world, pool)
      assert.is_nil(pool:policies().speculate)
      local slow = world.cluster:rule { statement = "slow", delay = 1000, times = 1 }
      local since = moonpool.now()
      assert(pool:execute "SELECT v FROM t WHERE id = 1 /* slow */")
      assert.is_true(moonpool.now() - since >= 1000)
      slow:remove()
    end },
  { "failover.enabled", {}, { failover = { enabled = false } },
    function(world, pool)
      local rule = world.cluster:rule { statement = "bad", error = "OVERLOADED" }
      local _, err = pool:execute "SELECT v FROM t WHERE id = 1 /* bad */"
      assert.equal(1, #err.attempts)
      rule:remove()
    end },
  { "failover.maxRetries", { retry = { policy = "DefaultRetryPolicy", maxRetries = 9 } },
    { retry = { policy = "DefaultRetryPolicy", maxRetries = 9 }, failover = { maxRetries = 0 } },
    function(world, pool)
      local rule = world.cluster:rule { statement = "bad", error = "OVERLOADED" }
      local _, err = pool:execute "SELECT v FROM t WHERE id = 1 /* bad */"
      assert.equal(1, #err.attempts)
      rule:remove()
    end },
  { "failover.retryDelay", {}, { failover = { retryDelay = 400 } },
    function(world, pool)
      local rule = world.cluster:rule { statement = "bad", error = "OVERLOADED", times = 1 }
      local since = moonpool.now()
      assert(pool:execute "SELECT v FROM t WHERE id = 1 /* bad */")
      assert.near(400, moonpool.now() - since, 30)
      rule:remove()
    end },
  { "failover.backoffMultiplier", { failover = { retryDelay = 100 }, requestTimeout = 5000 },
    { failover = { retryDelay = 100, backoffMultiplier = 5 }, requestTimeout = 5000 },
    function(world, pool)
      local rule = world.cluster:rule { statement = "bad", error = "OVERLOADED", times = 2 }
      local since = moonpool.now()
      assert(pool:execute "SELECT v FROM t WHERE id = 1 /* bad */")
      assert.near(600, moonpool.now() - since, 30)
      rule:remove()
    end },
  { "failover.autoDiscovery", { failover = { autoDiscovery = false } }, { failover = { autoDiscovery = true } },
    function(world, pool)
      world:eventually("the new node is found", function() return #pool:getHosts() == 4 end, 3000)
    end,
    function(world, pool)
      world.cluster:addNode()
      moonpool.sleep(70000)
      assert.equal(3, #pool:getHosts())
    end },
  { "policyPath", { loadBalancing = { policy = "TokenAwarePolicy" }, policyPath = none },
    { loadBalancing = { policy = "TokenAwarePolicy" } },
    function(_, pool) assert.matches(file "token_aware.lua", pool:policies().balance.file, 1, true) end, nil,
    { policy = policy("TokenAwarePolicy", "plan:hosts(localDc, inTurn)"), named = "token_aware.lua" } },
  { "failover.discoveryInterval", { failover = { discoveryInterval = 600000 } },
    { failover = { discoveryInterval = 1000 } },
    function(world)
      local reads = world.cluster:rule { statement = "system.local", delay = 0 }
      moonpool.sleep(10500)
      assert.is_true(reads:hits() >= 9)
      reads:remove()
    end, nil, { quiet = true } },
  { "regionSettings.datacenter1.maxConnections", { pooling = { coreConnectionsPerHost = { ["0"] = 3 } } },
    { pooling = { coreConnectionsPerHost = { ["0"] = 3 } }, regionSettings = { datacenter1 = { maxConnections = 1 } } },
    function(world, pool)
      assert.equal(9, world.before.connections)
      world:eventually("it shrinks", function() return connections(pool) == 3 end)
    end },
  { "circuitBreaker.enabled", {}, { circuitBreaker = { enabled = true } },
    function(world, pool) breaks(world, pool, 10) end, overload, { quiet = true } },
  { "circuitBreaker.failureThreshold", { circuitBreaker = { enabled = true, failureThreshold = 1000 } },
    { circuitBreaker = { enabled = true, failureThreshold = 2 } },
    function(world, pool)
      assert.equal("closed", breaker(world, pool))
      breaks(world, pool, 10)
    end, function(world, pool) overload(world, pool, 10) end, { quiet = true } },
  { "circuitBreaker.recoveryTimeout", { circuitBreaker = { enabled = true, recoveryTimeout = 600000 } },
    { circuitBreaker = { enabled = true, recoveryTimeout = 1000 } },
    function(world, pool)
      world:eventually("it recovers", function() return breaker(world, pool) == "halfOpen" end, 2000)
    end, function(world, pool)
      overload(world, pool)
      breaks(world, pool, 10)
    end, { quiet = true } },
  { "circuitBreaker.halfOpenMaxCalls", { circuitBreaker = { enabled = true, halfOpenMaxCalls = 1000 } },
    { circuitBreaker = { enabled = true, halfOpenMaxCalls = 2 } },
    function(world, pool)
      assert.equal("closed", breaker(world, pool), "two calls went well before")
    end, function(world, pool)
      overload(world, pool)
      breaks(world, pool, 10)
      world.cluster:clearRules()
      for _ = 1, 2 do assert(pool:execute("SELECT v FROM t WHERE id = 1", nil, { host = world:host(2) })) end
      assert.equal("halfOpen", breaker(world, pool))
    end, { quiet = true } },
  { "handlers", {}, { handlers = "HANDLERS" },
    function(world, pool)
      world.cluster:kill(2)
      world:waitStatus(pool, 2, "down")
      world.cluster:start(2)
      world:waitUp(pool)
      assert.same({ world:host(2) }, _G.heard)
    end, nil, { quiet = true, handlers = "return function(pool) pool:on('hostDown', function(h) table.insert(heard, h) "
      .. "end) end" } },
  { "logging.level", { logging = { level = "off" } }, { logging = { level = "error" } }, function() end },
}
for _, case in ipairs(require "spec.script.live_pooling"(assert)) do live[#live + 1] = case end
for _, case in ipairs(require "spec.script.live_looking"(assert)) do live[#live + 1] = case end

local function completed(extra, options)
  local out = {}
  for key, value in pairs(extra) do
    if value == none then out[key] = nil else out[key] = value end
  end
  if options.policy and extra.policyPath ~= none then out.policyPath = { config_file.folder } end
  if out.handlers then out.handlers = file "handlers.lua" end
  return out
end

local function prove(world, case)
  local key, before, after, check, first, options = unpack(case, 1, 6)
  options = options or {}
  if options.policy then policies.write(file(options.named or "mine.lua"), options.policy) end
  if options.begin then options.begin(world) end
  if options.handlers then policies.write(file "handlers.lua", options.handlers) end
  _G.heard = {} -- luacheck: ignore
  world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v text)"
  local pool, told = open(world, completed(before, options), options.up)
  function world.prepares()
    local sum = 0
    for node = 1, world.nodes do sum = sum + world.cluster:node(node).prepares end
    return sum
  end
  if first then first(world, pool) end
  world.before = { connections = connections(pool), pool_ids = ids(pool) }
  if options.busy then world.before.busy = busy_hosts(world, pool) end
  world.load = options.quiet and { finish = function() end } or start_load(world, pool)
  moonpool.sleep(100)
  change(world, completed(after, options))
  assert.same({}, told.configError)
  assert.equal(1, #told.configReload)
  local keys = {}
  for _, entry in ipairs(told.configReload[1][1].changes) do keys[entry.key] = entry end
  assert(keys[key], "not told: " .. key)
  assert.is_true(keys[key].from ~= keys[key].to)
  check(world, pool)
  world.load.finish()
  world:calm()
  assert(pool:execute "SELECT v FROM t WHERE id = 1")
end

describe("a configuration file that changes", function()
  for number, case in ipairs(live) do
    local options = case[6] or {}
    local given = { racks = options.racks, nodes = options.nodes, dcs = options.dcs }
    it_in(("applies %s while requests run (%d)"):format(case[1], number), given, function(world)
      around(function() prove(world, case) end)
    end)
  end
end)

-- The keys of the schema that hold a value, as "pooling.idleTimeout".
local function leaves(keys, prefix, list)
  for _, line in ipairs(keys) do
    local rule = type(line[2]) == "table" and line[2] or line
    if rule.kind == "section" then leaves(rule.keys, prefix .. line[1] .. ".", list)
    else list[#list + 1] = prefix .. line[1] end
  end
  return list
end

describe("every key of a configuration", function()
  local keys = leaves(schema.keys, "", {})

  it("is live or fixed, not both, and says how", function()
    for _, key in ipairs(keys) do
      local at = change_of.live
      for part in key:gmatch "[^.]+" do
        if type(at) == "table" then at = at[part] end
      end
      local is_live, is_fixed = type(at) == "string", type(change_of.fixed[key]) == "string"
      assert(is_live ~= is_fixed, key .. ": config/change.lua must say how a change is applied, or why not")
      assert.equal(is_fixed, change_of.refusal(key) ~= nil)
    end
  end)

  it("that is live and has an effect is proved above", function()
    local proved = {}
    for _, case in ipairs(live) do proved[case[1]] = true end
    for _, key in ipairs { "auth.username", "auth.password", "auth.credentials", -- in spec/fault/login_spec.lua
      "auth.authenticator", "pooling.reconnectBaseDelay",
      "pooling.warmup" --[[ spec/script/pool/warmup_spec.lua ]], "playbooks" --[[ spec/playbook/run_spec.lua ]],
      "decisionLog.file", "decisionLog.keep" --[[ in spec/cluster/decisions_spec.lua ]],
      "busyPollUs" --[[ in spec/cluster/apply_spec.lua ]],
      "failover.allowLocalConsistency" --[[ in spec/fault/g14_datacentre_spec.lua ]] } do proved[key] = true end
    for key in pairs(change_of.live.tls) do proved["tls." .. key] = true end -- in spec/fault/tls_spec.lua
    local missing = {}
    for _, key in ipairs(keys) do
      local at = change_of.live
      for part in key:gmatch "[^.]+" do
        if type(at) == "table" then at = at[part] end
      end
      local shown = proved[key] or proved[key .. ".datacenter1.maxConnections"] or proved[key .. ".traceQuery"]
        or proved[key .. ".traced.traceQuery"]
      if at and at ~= "has no effect yet" and not shown then missing[#missing + 1] = key end
    end
    assert.same({}, missing)
  end)

  it("that nobody thought of is refused", function()
    assert.equal("how to apply it is not known; restart", change_of.refusal "pooling.brandNew")
    assert.equal("how to apply it is not known; restart", change_of.refusal "brandNew")
    assert.is_nil(change_of.refusal "regionSettings.east.priority")
    assert.is_nil(change_of.refusal "healthCheck.interval")
  end)
end)
