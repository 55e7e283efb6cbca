-- SPDX-License-Identifier: Apache-2.0
-- The verbs of the control socket on a simulated cluster: what steers waits for what it says it waits for, what is
-- refused names the verb and the cure, and eval runs Lua only where it may, and not for ever.
local control = require "moonpool.cli.control"
local json = require "moonpool.cli.json"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local function ask(pool, verb, argument)
  local number = require("moonpool.pool").all[pool]
  local answer = json.decode(control.answer(json.encode { verb = verb, argument = argument, pool = number }))
  return answer.pools and answer.pools[1] or answer
end

local SLOW = { statement = "system.local", delay = 1500 }

describe("the console", function()
  local function host_of(pool, address)
    for _, host in ipairs(pool:getHosts()) do
      if host.address == address then return host end
    end
  end

  local function slow_request(world, pool, host, options)
    options = options or {}
    options.host, options.timeout = host, 10000
    local rule = world.cluster:rule(SLOW)
    local future = moonpool.spawn(function() return pool:execute("SELECT key FROM system.local", nil, options) end)
    moonpool.sleep(50)
    rule:remove()
    return future
  end

  it_in("pauses when nothing is under way any more, as PgBouncer does", function(world)
    local pool = world:pool { requestTimeout = 10000, attemptTimeout = 10000 }
    world:waitUp(pool)
    local host = world:host(2)
    local future = slow_request(world, pool, host)
    local began = moonpool.now()
    assert.is_true(ask(pool, "pause", host).ok)
    assert.is_true(moonpool.now() - began >= 1000)
    assert.is_true(future:done())
    assert.equal("paused", host_of(pool, host).held)
    assert.is_true(host_of(pool, host).connections > 0)
    assert.is_true(ask(pool, "resume", host).ok)
    assert.is_nil(host_of(pool, host).held)
    pool:close()
  end)

  it_in("says how many requests are under way when a pause takes too long; it is paused all the same", function(world)
    local pool = world:pool { requestTimeout = 60000, attemptTimeout = 60000 }
    world:waitUp(pool)
    local host = world:host(2)
    world.cluster:rule { statement = "system.local", delay = 40000, node = 2 }
    local options = { host = host, timeout = 60000 }
    world:spawn(function() return pool:execute("SELECT key FROM system.local", nil, options) end)
    moonpool.sleep(50)
    local answer = ask(pool, "pause", host)
    assert.is_false(answer.ok)
    assert.matches("^pause: .* is paused, but 1 requests are still under way after 25 s", answer.error)
    assert.equal("paused", host_of(pool, host).held)
    moonpool.sleep(30000)
    pool:close()
  end)

  it_in("kills at once: requests may go elsewhere, the host stays away until it is resumed", function(world)
    local pool = world:pool { requestTimeout = 10000, attemptTimeout = 10000 }
    world:waitUp(pool)
    local host = world:host(2)
    local lost = slow_request(world, pool, host, { isIdempotent = false, prepare = false })
    local told = world:listen(pool, "connectionRemoved")
    local began = moonpool.now()
    assert.is_true(ask(pool, "kill", host).ok)
    assert.is_true(moonpool.now() - began < 100)
    local result, err = lost:wait()
    assert.is_true(result ~= nil or err.code == "CONNECTION_LOST" or err.code == "NO_HOST_AVAILABLE", tostring(err))
    assert.is_true(moonpool.now() - began < 1000)
    moonpool.sleep(5000)
    assert.equal(0, host_of(pool, host).connections)
    assert.equal("draining", host_of(pool, host).held)
    assert.is_true(#told.connectionRemoved >= 1)
    assert.matches("killed on request", told.connectionRemoved[1][2])
    for _ = 1, 20 do assert(pool:execute "SELECT key FROM system.local") end
    assert.is_true(ask(pool, "resume").ok) -- all of them
    world:waitStatus(pool, 2, "up")
    pool:close()
  end)

  it_in("resumes all hosts that are held", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    assert.is_true(ask(pool, "pause", world:host(2)).ok)
    assert.is_true(ask(pool, "drain", world:host(3)).ok)
    assert.is_true(ask(pool, "resume").ok)
    world:waitUp(pool)
    for _, host in ipairs(pool:getHosts()) do assert.is_nil(host.held) end
    pool:close()
  end)

  it_in("shows weights, tags and breakers of hosts, tags as a list", function(world)
    local pool = world:pool { circuitBreaker = { enabled = true } }
    world:waitUp(pool)
    assert.is_true(ask(pool, "weight", world:host(2) .. " 0.5").ok)
    assert.is_true(ask(pool, "tags", world:host(2) .. " canary slow").ok)
    for _, host in ipairs(ask(pool, "hosts").hosts) do
      local is_it = host.address == world:host(2)
      assert.equal(is_it and 0.5 or 1, host.weight)
      if is_it then
        table.sort(host.tags)
        assert.same({ "canary", "slow" }, host.tags)
      else
        assert.is_nil(host.tags)
      end
      assert.equal("closed", host.breaker)
    end
    assert.is_true(ask(pool, "tags", world:host(2)).ok)
    assert.is_nil(host_of(pool, world:host(2)).tags)
    pool:close()
  end)

  it_in("names the verb and the cure when it refuses", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for question, said in pairs {
      [{ "pause", "203.0.113.9" }] = "^pause: there is no host 203.0.113.9; `moonpool ctl hosts` names them",
      [{ "kill", "203.0.113.9" }] = "^kill: there is no host",
      [{ "weight", world:host(1) .. " much" }] = "weight wants a host and a number",
      [{ "weight", world:host(1) .. " -1" }] = "^weight: .*a number from 0 to",
      [{ "log", "loud" }] = "^log: a level is error, warn, info, debug or off",
      [{ "switchDatacenter", "nowhere" }] = "^switchDatacenter: ",
      [{ "rollback", "balanse" }] = "^rollback: .*balance",
      [{ "explain", "x" }] = "^explain: the request is no JSON object",
      [{ "playbooks", "maybe" }] = "^playbooks: on or off",
      [{ "events", "x" }] = "events wants the number",
      [{ "eval", "1" }] = "^eval: the configuration does not allow it: it wants controlEval = true",
      [{ "resum" }] = "did you mean resume%?",
      [{ "drain" }] = "drain wants an argument: HOST",
      [{ "health", "x" }] = "health takes no argument",
    } do
      local answer = ask(pool, question[1], question[2])
      assert.is_false(answer.ok, question[1])
      assert.matches(said, answer.error)
    end
    pool:close()
  end)
end)

describe("eval at the console", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  local function evaluated(pool, text)
    local answer = ask(pool, "eval", text)
    assert.is_true(answer.ok, answer.error)
    return answer.values, answer.output
  end

  it_in("gives values of every kind as data, and what was printed", function(world)
    local pool = world:pool { controlEval = true }
    world:waitUp(pool)
    assert.same({ 3 }, evaluated(pool, "pool:getMetrics().hostsUp"))
    assert.same({ 3 }, evaluated(pool, "return 1 + 2"))
    assert.same({ "a", true, "nil", { 1, { b = 2 } }, "inf" }, evaluated(pool, "'a', true, nil, { 1, { b = 2 } }, 1/0"))
    assert.same({ "9007199254740993" }, evaluated(pool, "9007199254740993LL"))
    assert.matches("^function: ", evaluated(pool, "print")[1])
    assert.same({ { [1] = "(...)" } }, evaluated(pool, "(function() local t = {} t[1] = t return t end)()"))
    local values, output = evaluated(pool, "print('one', 2) print 'three' return")
    assert.same({}, values)
    assert.same({ "one\t2", "three" }, output)
    values = evaluated(pool, "pool:execute 'SELECT key FROM system.local'")
    assert.same({ { key = "local" } }, values[1].rows)
    evaluated(pool, "fromEval = 5")
    assert.equal(5, _G.fromEval)
    _G.fromEval = nil -- luacheck: ignore
    pool:close()
  end)

  it_in("refuses what is wrong, and ends what does not end", function(world)
    local pool = world:pool { controlEval = true }
    world:waitUp(pool)
    for text, said in pairs {
      ["return +"] = "^eval:1: ", ["error 'no'"] = "eval:1: no", ["nope.x"] = "attempt to index",
      ["while true do end"] = "computes for more than 200 ms",
      ["while true do pcall(function() while true do end end) end"] = "computes for more than 200 ms",
      ["require('moonpool').sleep(1e6)"] = "it has not ended within 10 s",
      ["(function() local t = {} for i = 1, 20000 do t[i] = i end return t end)()"] = "more than 10000 entries",
      ["error({})"] = "eval: ", ["print(('x'):rep(1e6))"] = "bytes are printed",
      [string.dump(function() end):gsub("[^%g]", "x")] = "eval",
    } do
      local answer = ask(pool, "eval", text)
      assert.is_false(answer.ok, text)
      assert.matches(said, answer.error)
      assert.matches("eval", answer.error, 1, true)
    end
    pool:close()
  end)

  it_in("takes with it what it has begun", function(world)
    local pool = world:pool { controlEval = true }
    world:waitUp(pool)
    _G.ticks = 0 -- luacheck: ignore
    evaluated(pool, "moonpool.spawn(function() while true do ticks = ticks + 1 moonpool.sleep(10) end end)")
    evaluated(pool, "moonpool.detach(function() moonpool.sleep(500) ticks = ticks + 1000 end)")
    moonpool.sleep(2000)
    assert.is_true(_G.ticks >= 1000 and _G.ticks <= 1002, _G.ticks)
    _G.ticks = nil -- luacheck: ignore
    pool:close()
  end)

  it_in("is allowed and taken away while the pool runs", function(world)
    local path = folder .. "/pool.lua"
    local function configure(more)
      policies.write(path, "return { contactPoints = { '127.0.0.1' }, localDataCenter = 'datacenter1', " .. more
        .. " }")
      world.sim:touch(path)
      moonpool.sleep(100)
    end
    configure ""
    local pool = moonpool.ConnectionPool(path)
    assert(pool:connect())
    world:waitUp(pool)
    assert.matches("does not allow it", ask(pool, "eval", "1").error)
    configure "controlEval = true"
    assert.same({ 1 }, evaluated(pool, "1"))
    configure ""
    assert.matches("does not allow it", ask(pool, "eval", "1").error)
    pool:close()
  end)
end)
