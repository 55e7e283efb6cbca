-- SPDX-License-Identifier: Apache-2.0
-- What `moonpool new policy` writes, for each kind: policy, spec, and the lines of a configuration. `tail` ends the
-- names of the kind's policies and not those of their files (policy/kinds.c). {NAME} is the policy's name, {SPEC} the
-- path of the spec.
local CONFIGURATION = 'policyPath = { "%s" }, %s = { policy = "{NAME}" },'

local function configuration(key) return CONFIGURATION:format("{FOLDER}", key) end

local templates = {}

templates.balance = {
  tail = "load_balancing", configuration = configuration "loadBalancing",
  policy = [[
-- {NAME}: which hosts a request tries, in which order. Say here why, and for whom.
-- The words are those of docs/policies.md; `moonpool explain --embedded 6 --dcs 2 --policy ./FILE` shows a plan.
return balance {
  name = "{NAME}",
  options = { remoteHosts = 1 }, -- with their defaults: beside `policy` in the configuration
  plan = function(plan, req, options)
    plan:replicas(localDc, leastLoaded) -- who has the row, and of those who has less to do
    plan:hosts(localDc, inTurn)
    if not req.isLocalConsistency then plan:hosts(remoteDcs, inTurn, options.remoteHosts) end
  end,
}
]],
  spec = [[
-- What {NAME} promises: moonpool test {SPEC}
-- Six hosts in two datacentres, in virtual time; run{} sends requests to them through a real pool.
describe("{NAME}", function()
  local c
  before_each(function() c = cluster { dcs = { east = 4, west = 2 }, localDc = "east" } end)

  local function asked(result, dc)
    local sum = 0
    for host, count in pairs(result.asked) do sum = sum + (host:find("^" .. dc .. "/") and count or 0) end
    return sum
  end

  it("answers every request in the local datacentre", function()
    local result = run { requests = 2000, policy = "{NAME}" }
    assert.equal(0, result.failures, result.firstError)
    assert.equal(0, result.policy.errors, result.policy.lastError)
    assert.equal(0, asked(result, "west"))
  end)

  it("goes on when a host dies", function()
    c:kill "east/1"
    c:sleep(5000)
    local result = run { requests = 2000, policy = "{NAME}" }
    assert.equal(0, result.failures, result.firstError)
  end)

  it("keeps its word on any cluster", function()
    explore { policy = "{NAME}", promises = { "staysLocalWhenAsked", "reachesEveryLocalHost", "replicasFirst" } }
  end)

  it("leaves the datacentre only when the consistency allows it", function()
    run { requests = 100, policy = "{NAME}" }
    c:kill "east"
    c:sleep(5000)
    assert.equal(0, run { requests = 300, policy = "{NAME}", consistency = "ONE" }.failures)
    assert.equal(300, run { requests = 300, policy = "{NAME}", consistency = "LOCAL_ONE" }.failures)
  end)
end)
]],
}

templates.retry = {
  tail = "retry", configuration = configuration "retry",
  policy = [[
-- {NAME}: what follows a failed attempt, inside of the replay gate. Say here why.
return retry {
  name = "{NAME}",
  options = { retries = 2, retryDelay = 0 },
  decide = function(err, req, options)
    if err.attempt > options.retries then return giveUp end
    if err.code == OVERLOADED or err.code == UNAVAILABLE then return nextHost, options.retryDelay end
    if err.code == READ_TIMEOUT and req.isRead then return nextHost end
    return giveUp
  end,
}
]],
  spec = [[
-- What {NAME} promises: moonpool test {SPEC}
describe("{NAME}", function()
  local c
  before_each(function() c = cluster { dcs = { dc1 = 3 } } end)

  it("tries the next host when one is overloaded", function()
    c:rule { node = "dc1/1", error = "OVERLOADED", statement = "FROM test.t" }
    local result = run { requests = 300, retry = "{NAME}" }
    assert.equal(0, result.failures, result.firstError)
    assert.is_true(result.attempts > 300)
  end)

  it("gives up when all of them are", function()
    run { requests = 1, retry = "{NAME}" }
    c:rule { error = "OVERLOADED", statement = "FROM test.t" }
    local result = run { requests = 100, retry = "{NAME}" }
    assert.equal(100, result.failures)
    assert.equal(100, result.errors.OVERLOADED)
  end)
end)
]],
}

templates.reconnect = {
  tail = "reconnection", configuration = configuration "reconnection",
  policy = [[
-- {NAME}: when a host that is not reached is tried again. Say here why.
return reconnect {
  name = "{NAME}",
  options = { delay = 500, maxDelay = 30000 },
  delay = function(try, options)
    if try.why == AUTH_FAILED then return 60000 end
    local most = math.min(options.maxDelay, options.delay * 2 ^ math.min(try.attempt - 1, 10))
    return random(most / 2, most) -- so that many clients do not come at once
  end,
}
]],
  spec = [[
-- What {NAME} promises: moonpool test {SPEC}
describe("{NAME}", function()
  it("has a host back soon after it has come back", function()
    local c = cluster { dcs = { dc1 = 3 } }
    run { requests = 100, reconnect = "{NAME}" }
    c:kill "dc1/1"
    c:sleep(10000)
    local away = run { requests = 300, reconnect = "{NAME}", policy = "RoundRobinPolicy" }
    assert.equal(0, away.failures, away.firstError)
    assert.equal(0, away.asked["dc1/1"])
    c:start "dc1/1"
    c:sleep(30000)
    assert.is_true(run { requests = 300, reconnect = "{NAME}", policy = "RoundRobinPolicy" }.asked["dc1/1"] > 50)
  end)
end)
]],
}

templates.speculate = {
  tail = "speculative_execution", configuration = configuration "speculativeExecution",
  policy = [[
-- {NAME}: when a request that is slow is sent to a second host, too. Say here why.
return speculate {
  name = "{NAME}",
  options = { delay = 30, copies = 1 },
  after = function(req, sent, options)
    if req.isRead and sent <= options.copies then return options.delay end
  end,
}
]],
  spec = [[
-- What {NAME} promises: moonpool test {SPEC}
describe("{NAME}", function()
  local c
  before_each(function() c = cluster { dcs = { dc1 = 3 } } end)

  it("sends no copy while hosts are fast", function()
    assert.equal(0, run { requests = 300, speculate = "{NAME}" }.speculative)
  end)

  it("does not wait for a slow host", function()
    run { requests = 30, speculate = "{NAME}", policy = "RoundRobinPolicy" }
    c:setLatency("dc1/1", 300)
    local result = run { requests = 60, concurrency = 1, speculate = "{NAME}", policy = "RoundRobinPolicy" }
    assert.equal(0, result.failures, result.firstError)
    assert.is_true(result.speculativeWins > 0)
  end)

  it("sends no copy of a write", function()
    c:setLatency("dc1/1", 300)
    assert.equal(0, run { requests = 60, kind = "write", speculate = "{NAME}" }.speculative)
  end)
end)
]],
}

templates.failover = {
  tail = "failover", configuration = configuration "failover",
  policy = [[
-- {NAME}: which datacentre serves. Say here why, and who is to know of it.
return failover {
  name = "{NAME}",
  options = { downFor = 10000, upFor = 60000 },
  decide = function(home, serving, options)
    if home:upFor(1) >= options.upFor then return home, home.name .. " has been well for a while" end
    if serving:downFor(1) < options.downFor then return serving end
    for _, dc in dcs() do -- home first, then by the priority of regionSettings
      if dc:upFor(1) > 0 then return dc, serving.name .. " has no host any more" end
    end
  end,
}
]],
  spec = [[
-- What {NAME} promises: moonpool test {SPEC}
describe("{NAME}", function()
  it("moves when the datacentre is lost, and returns when it has been back for a while", function()
    local c = cluster { dcs = { east = 3, west = 3 }, localDc = "east" }
    local function reads() return run { requests = 100, consistency = "ONE", failover = "{NAME}" } end
    assert.equal("east", reads().serving)
    c:kill "east"
    c:sleep(20000)
    local away = reads()
    assert.equal("west", away.serving)
    assert.equal(0, away.failures, away.firstError)
    c:start "east"
    c:sleep(30000)
    assert.equal("west", reads().serving)
    c:sleep(90000)
    assert.equal("east", reads().serving)
  end)
end)
]],
}

return templates
