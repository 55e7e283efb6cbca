-- SPDX-License-Identifier: Apache-2.0
-- When playbooks begin, what they do, how they end, and what they may not do, in virtual time.
local moonpool = require "moonpool"
local playbooks = require "spec.playbook.support.files"
local it_in = require("spec.support.world").inside(it)

local function lost(body) return "when = { event = 'hostDown', lasting = '30s' }, " .. body end

describe("a playbook", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  it_in("begins when what it waits for has lasted", function(world)
    local pool = playbooks.pool(world, { lost = lost "run = function(run) say(run.name, run.host, run.why) end" })
    local told = world:listen(pool, "playbookRun")
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(29000)
    assert.same({}, playbooks.said)
    moonpool.sleep(2500)
    assert.equal(1, #playbooks.said)
    assert.matches("^lost " .. world:host(2) .. " hostDown for 3[01] s$", playbooks.said[1])
    moonpool.sleep(100)
    assert.same({ name = "lost", host = world:host(2), run = 1, outcome = "done", dry = false }, told.playbookRun[1][1])
    pool:close()
  end)

  it_in("does not begin when it does not last", function(world)
    local pool = playbooks.pool(world, { lost = lost "run = function() say 'no' end" })
    for _ = 1, 3 do
      world.cluster:kill(2)
      world:waitStatus(pool, 2, "down")
      moonpool.sleep(20000)
      world.cluster:start(2)
      world:waitStatus(pool, 2, "up")
    end
    moonpool.sleep(60000)
    assert.same({}, playbooks.said)
    pool:close()
  end)

  it_in("sees what was so when it was loaded", function(world)
    local pool = playbooks.pool(world, {})
    world.cluster:kill(3)
    world:waitStatus(pool, 3, "down")
    moonpool.sleep(1000)
    playbooks.change(world, "lost.lua", playbooks.text("lost", lost "run = function(run) say(run.host) end"))
    moonpool.sleep(32000)
    assert.same({ world:host(3) }, playbooks.said)
    pool:close()
  end)

  it_in("begins by a condition, by the time, and by hand", function(world)
    _G.holds = false -- luacheck: ignore
    local pool = playbooks.pool(world, {
      condition = [[when = { condition = function(pool) return holds and #pool:getHosts() == 3 end, lasting = "10s" },
        run = function() say "condition" end]],
      clock = [[when = { every = "1m" }, coolDown = 0, run = function() say "clock" end]],
      hand = [[run = function(run) say("hand", run.host, run.why) end]],
    })
    moonpool.sleep(50000)
    assert.same({}, playbooks.said)
    _G.holds = true -- luacheck: ignore
    moonpool.sleep(13000)
    assert.same({ "clock", "condition" }, playbooks.said)
    assert.is_true(pool:runPlaybook("hand", { host = world:host(1) }))
    moonpool.sleep(100)
    assert.equal("hand " .. world:host(1) .. " by hand", playbooks.said[3])
    local ok, err = pool:runPlaybook "hnad"
    assert.is_nil(ok)
    assert.matches("there is no playbook 'hnad', did you mean hand?", err.message, 1, true)
    pool:close()
  end)

  it_in("rests after a run, for each host, until somebody has seen it", function(world)
    local pool = playbooks.pool(world, { lost = lost "coolDown = '10m', run = function(run) say(run.host) end" },
      nil, { failover = {} })
    world.cluster:kill(2)
    world.cluster:kill(3)
    moonpool.sleep(300000)
    assert.equal(2, #playbooks.said)
    moonpool.sleep(340000) -- it holds still, and the rest is over
    assert.equal(4, #playbooks.said)
    assert.equal(1, pool:acknowledgePlaybook("lost", world:host(2)))
    moonpool.sleep(5000)
    assert.equal(5, #playbooks.said)
    assert.equal(world:host(2), playbooks.said[5])
    pool:close()
  end)

  it_in("runs no more often than it says", function(world)
    local pool = playbooks.pool(world, { often = [[when = { every = "1m" }, coolDown = 0, atMost = { 3, per = "1h" },
      run = function() say "often" end]] })
    moonpool.sleep(50 * 60000)
    assert.equal(3, #playbooks.said)
    moonpool.sleep(20 * 60000)
    assert.is_true(#playbooks.said > 3 and #playbooks.said <= 6)
    pool:close()
  end)

  it_in("asks its guard first, and again while it holds", function(world)
    _G.allowed = false -- luacheck: ignore
    local pool = playbooks.pool(world, { lost = lost [[guard = function(run) return allowed end,
      run = function() say "ran" end]] })
    world.cluster:kill(2)
    moonpool.sleep(60000)
    assert.same({}, playbooks.said)
    assert.same({ "skipped: its guard said no" }, playbooks.steps(pool))
    _G.allowed = true -- luacheck: ignore
    moonpool.sleep(3000)
    assert.same({ "ran" }, playbooks.said)
    pool:close()
  end)

  it_in("in a dry run does nothing that acts, and says what it would do", function(world)
    local pool = playbooks.pool(world, { dry = [[run = function(run)
      run:setWeight(run.host, 0.1)
      run:execute "INSERT INTO ks.t (k, v) VALUES (1, 'x')"
      run:notify { url = "http://127.0.0.1:1/", text = "hello" }
      run:command { "/bin/false" }
      run:probe(run.host)
      say(run.isDry) end]] }, { dryRun = true })
    assert(pool:runPlaybook("dry", { host = world:host(1) }))
    playbooks.rest(world, pool)
    assert.same({ "true" }, playbooks.said)
    assert.same({ "begin", "setWeight: would be done", "execute: would be done", "notify: would be done",
      "command: would be done", "probe: ok", "end: done" }, playbooks.steps(pool))
    local _, host = world:status(pool, 1)
    assert.equal(1, host.weight)
    pool:close()
  end)

  it_in("stays dry when it is run by hand, however that is asked for", function(world)
    local pool = playbooks.pool(world, { dry = "run = function(run) run:setWeight(run.host, 0.1) end" },
      { dryRun = true })
    assert(pool:runPlaybook("dry", { host = world:host(1), dry = false }))
    playbooks.rest(world, pool)
    local _, host = world:status(pool, 1)
    assert.equal(1, host.weight)
    pool:close()
  end)

  it_in("that ends before its end is cancelled and what it did is undone", function(world)
    local body = [[run = function(run)
      run:setWeight(run.host, 0.1)
      run:setTags(run.host, { "sick" })
      %s
    end, timeout = "10s", cancel = function(run, why) say(why) run:log "cancelled" end]]
    for ending, why in pairs {
      ["error 'no'"] = "lua:%d+: no", ["run:sleep '1h'"] = "it took longer than 10 s",
      ["run:waitUntil(function() return false end, '5s')"] = "waitUntil: it did not come true within 5 s",
      ["require('moonpool').sleep(60000)"] = "it took longer than 10 s",
      ["run:setWeight(run.host, -1)"] = "setWeight: ",
      ["while true do end"] = "it computes for more than 50 ms without waiting",
    } do
      playbooks.said = {}
      local pool = playbooks.pool(world, { p = body:format(ending) })
      assert(pool:setHostWeight(world:host(1), 0.7))
      assert(pool:runPlaybook("p", { host = world:host(1) }))
      playbooks.rest(world, pool)
      assert.matches(why, playbooks.said[1])
      local _, host = world:status(pool, 1)
      assert.equal(0.7, tonumber(("%.3f"):format(host.weight)))
      assert.same({}, host.tags or {})
      local steps = table.concat(playbooks.steps(pool), "\n")
      assert.matches("log\nundo setTags: ok\nundo setWeight: ok\nend: ", steps, 1, true)
      pool:close()
      moonpool.sleep(60000)
    end
  end)

  it_in("steers as the pool's methods do, with all that they take, and puts policies and sizes back", function(world)
    local pool = playbooks.pool(world, { p = [[run = function(run)
      run:usePolicy("retry", "DefaultRetryPolicy", { maxRetries = 7 })
      run:resize(run.host, { core = 3, max = 3 })
      say "steered"
      run:sleep "1m"
      error "no" end]] }, nil, { retry = { policy = "FallthroughRetryPolicy" } })
    local function most() return select(2, world:status(pool, 1)).maxConnections end
    local before = most()
    assert(pool:runPlaybook("p", { host = world:host(1) }))
    moonpool.sleep(1000)
    assert.same({ "steered" }, playbooks.said)
    assert.equal("DefaultRetryPolicy", pool:policies().retry.name)
    assert.equal(3, most())
    playbooks.rest(world, pool)
    assert.equal("FallthroughRetryPolicy", pool:policies().retry.name)
    assert.equal(before, most())
    assert(pool:runPlaybook("p", { host = world:host(1) }))
    playbooks.write("p.lua", playbooks.text("p", [[run = function(run)
      run:usePolicy("retry", "DefaultRetryPolicy", { maxRetrys = 7 }) end]]))
    world.sim:touch(playbooks.file "p.lua")
    moonpool.sleep(100)
    playbooks.rest(world, pool)
    assert(pool:runPlaybook("p", { host = world:host(1) }))
    playbooks.rest(world, pool)
    assert.matches("no such option, did you mean maxRetries?", table.concat(playbooks.steps(pool), "\n"), 1, true)
    pool:close()
  end)

  it_in("is cancelled when playbooks are switched off, and nothing begins until they are on", function(world)
    local pool = playbooks.pool(world, { p = [[when = { every = "1m" }, coolDown = 0,
      run = function(run) say "begin" run:sleep "1h" end, cancel = function(_, why) say(why) end]] })
    moonpool.sleep(62000)
    assert(pool:switchPlaybooks(false))
    moonpool.sleep(200)
    assert.same({ "begin", "by hand" }, playbooks.said)
    moonpool.sleep(600000)
    assert.equal(2, #playbooks.said)
    local ok, err = pool:runPlaybook "p"
    assert.is_nil(ok)
    assert.matches("switched off", err.message)
    assert(pool:switchPlaybooks(true))
    moonpool.sleep(62000)
    assert.equal(3, #playbooks.said)
    pool:close()
  end)

  it_in("remembers, also when its file is replaced", function(world)
    local body = "run = function(run) run.memory.n = (run.memory.n or 0) + 1 say(run.memory.n) end"
    local pool = playbooks.pool(world, { p = body })
    assert(pool:runPlaybook "p")
    playbooks.rest(world, pool)
    playbooks.change(world, "p.lua", playbooks.text("p", body .. " -- again"))
    assert(pool:runPlaybook "p")
    playbooks.rest(world, pool)
    assert.same({ "1", "2" }, playbooks.said)
    pool:close()
  end)

  it_in("is replaced when its file changes; a run in flight finishes or is cancelled, as it says", function(world)
    local body = "run = function(run) run:sleep '10s' say '%s' end, onReload = '%s'"
    local pool = playbooks.pool(world, { a = body:format("old a", "finish"), b = body:format("old b", "cancel") })
    local told = world:listen(pool, "playbookReload", "playbookError")
    assert(pool:runPlaybook "a")
    assert(pool:runPlaybook "b")
    moonpool.sleep(100)
    playbooks.change(world, "a.lua", playbooks.text("a", body:format("new a", "finish")))
    playbooks.change(world, "b.lua", playbooks.text("b", body:format("new b", "finish")))
    moonpool.sleep(20000)
    assert.same({ "old a" }, playbooks.said)
    assert.equal(2, #told.playbookReload)
    playbooks.change(world, "a.lua", "return playbook {")
    assert.equal(1, #told.playbookError)
    assert.matches("a.lua:1:", told.playbookError[1][1].message)
    assert(pool:runPlaybook "a") -- what was there goes on
    playbooks.change(world, "b.lua", nil)
    assert.equal(1, #pool:playbooks())
    moonpool.sleep(11000)
    assert.same({ "old a", "new a" }, playbooks.said)
    pool:close()
  end)

  it_in("follows the configuration: files come and go, and a dry run ends when it says so", function(world)
    local function configure(playbooks_key)
      playbooks.write("pool.lua", ([[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        logging = { level = "off" }, playbooks = %s }]]):format(playbooks_key))
      world.sim:touch(playbooks.file "pool.lua")
      moonpool.sleep(200)
    end
    playbooks.write("a.lua", playbooks.text("a", "run = function(run) run:setWeight(run.host, 0.5) end"))
    playbooks.write("b.lua", playbooks.text("b", "run = function() end"))
    configure "{ 'a.lua' }"
    local pool = moonpool.ConnectionPool(playbooks.file "pool.lua")
    assert(pool:connect())
    world:waitUp(pool)
    local told = world:listen(pool, "configReload", "configError")
    local function weight() return select(2, world:status(pool, 1)).weight end
    assert(pool:runPlaybook("a", { host = world:host(1) }))
    playbooks.rest(world, pool)
    assert.equal(1, weight())
    configure "{ 'a.lua', 'b.lua', dryRun = false }"
    assert.equal(2, #pool:playbooks())
    assert(pool:runPlaybook("a", { host = world:host(1) }))
    playbooks.rest(world, pool)
    assert.equal(0.5, weight())
    configure "{ 'missing.lua' }"
    assert.equal(2, #pool:playbooks())
    assert.matches("missing.lua", told.configError[1][1].message)
    configure "{ 'b.lua' }"
    assert.equal(1, #pool:playbooks())
    assert.equal("b", pool:playbooks()[1].name)
    pool:close()
  end)

  it_in("that is broken from the start is refused with its place", function(world)
    playbooks.write("p.lua", "return playbook { name = 'x', run = 5 }")
    local made, why = pcall(world.newPool, world, { playbooks = playbooks.folder })
    assert.is_false(made)
    assert.matches("playbooks: .*p.lua:1: run: a function expected, got number", tostring(why))
  end)

  it_in("takes a host in its hands: no other acts on it meanwhile", function(world)
    local pool = playbooks.pool(world, {
      one = "run = function(run) run:setWeight(run.host, 0.5) run:sleep '1m' end",
      other = "run = function(run) run:setWeight(run.memory.host or run.host, 0.1) end",
    })
    assert(pool:runPlaybook("one", { host = world:host(1) }))
    moonpool.sleep(100)
    local ok, err = pool:runPlaybook("other", { host = world:host(1) })
    assert.is_nil(ok)
    assert.matches("is in the hands of playbook one, run 1", err.message)
    assert(pool:runPlaybook("other", { host = world:host(2) }))
    ok, err = pool:runPlaybook("one", { host = world:host(1) })
    assert.is_nil(ok)
    assert.matches("it runs already", err.message)
    playbooks.rest(world, pool)
    assert(pool:runPlaybook("other", { host = world:host(1) }))
    pool:close()
  end)

  it_in("runs what the configuration allows and nothing else; there are no programs in this world", function(world)
    local pool = playbooks.pool(world, { p = [[run = function(run)
      local ok, why = pcall(run.command, run, { "/bin/sh", "-c", "true" })
      say(why.message)
      ok, why = pcall(run.command, run, { "/bin/true" })
      say(why.message) end]] }, { commands = { "/bin/true" } })
    assert(pool:runPlaybook "p")
    playbooks.rest(world, pool)
    assert.matches("/bin/sh is not among the commands of the configuration", playbooks.said[1])
    assert.matches("there are no programs in a simulated world", playbooks.said[2])
    pool:close()
  end)
end)

describe("the blast radius of playbooks", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  local PAUSE = "run = function(run) run:pause(run.host) run:sleep '1m' end"

  it_in("is a third of the hosts, over all of them, and what a run paused is resumed at its end", { nodes = 6 },
    function(world)
      local pool = playbooks.pool(world, { a = PAUSE, b = PAUSE:gsub("pause", "drain") })
      assert(pool:runPlaybook("a", { host = world:host(1) }))
      assert(pool:runPlaybook("b", { host = world:host(2) }))
      moonpool.sleep(1000)
      assert.equal("paused", (world:status(pool, 1)))
      assert.equal("draining", (world:status(pool, 2)))
      assert(pool:runPlaybook("a", { host = world:host(3) }))
      moonpool.sleep(1000)
      local steps = table.concat(playbooks.steps(pool), "\n")
      assert.matches("refused: 2 of 6 hosts are out of use already, and with " .. world:host(3)
        .. " it would be more than 2", steps, 1, true)
      assert.equal("up", (world:status(pool, 3)))
      pool:switchPlaybooks(false)
      moonpool.sleep(5000)
      for node = 1, 6 do assert.equal("up", (world:status(pool, node))) end
      pool:close()
    end)

  it_in("counts what an operator has taken out, and is less where a playbook says so", { nodes = 6 }, function(world)
    local pool = playbooks.pool(world, { a = PAUSE .. ", blastRadius = 1 / 6" })
    assert(pool:pause(world:host(6)))
    assert(pool:runPlaybook("a", { host = world:host(1) }))
    moonpool.sleep(500)
    assert.equal("up", (world:status(pool, 1)))
    assert(pool:resume(world:host(6)))
    assert(pool:runPlaybook("a", { host = world:host(1) }))
    moonpool.sleep(500)
    assert.equal("paused", (world:status(pool, 1)))
    playbooks.rest(world, pool)
    assert.equal("paused", (world:status(pool, 1))) -- it came to its end: what it left is meant
    pool:close()
  end)

  it_in("never takes the last host of a datacentre", { nodes = 6, dcs = 2 }, function(world)
    local pool = playbooks.pool(world, { a = PAUSE }, nil, { pooling = {
      coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 }, maxConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } } })
    local dc = select(2, world:status(pool, 1)).datacenter
    local others = 0
    for node = 2, 6 do
      if select(2, world:status(pool, node)).datacenter == dc then
        world.cluster:kill(node)
        world:waitStatus(pool, node, "down")
        others = others + 1
      end
    end
    assert.is_true(others > 0)
    assert(pool:runPlaybook("a", { host = world:host(1) }))
    moonpool.sleep(500)
    assert.matches("is the last host of datacentre " .. dc .. " that is up",
      table.concat(playbooks.steps(pool), "\n"), 1, true)
    pool:close()
  end)
end)

describe("adversarial playbooks", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  -- Once a second, as often as it likes, unless it says something else.
  local function always(body) return "when = { every = '1s' }, coolDown = 0, " .. body end
  local files = {
    loops = always "run = function() while true do end end",
    ["loops in its condition"] = "when = { condition = function() while true do end end }, run = function() end",
    ["loops in its guard"] = always "guard = function() while true do end end, run = print",
    ["loops in its cancel"] = always "run = error, cancel = function() while true do end end",
    throws = always "run = function() error(setmetatable({}, { __tostring = error })) end",
    ["sleeps for ever"] = always "timeout = '2s', run = function() require('moonpool').sleep(60000) end",
    ["yields for ever"] = always "timeout = '2s', run = function() coroutine.yield() end",
    ["begins itself"] = always [[run = function(run)
      run.pool:runPlaybook(run.name)
      run.pool:runPlaybook(run.name, { host = tostring(math.random()) })
    end]],
    ["asks without end"] = always [[run = function(run)
      for i = 1, 2000 do run.pool:executeAsync('SELECT key FROM system.local') end
    end]],
    ["switches all off and on"] = always [[run = function(run)
      run.pool:switchPlaybooks(false)
      run.pool:switchPlaybooks(true)
    end]],
    ["catches everything"] = always "timeout = 900, run = function(run) while true do pcall(run.sleep, run, 9) end end",
    ["fills its memory"] = always "run = function(run) run.memory.x, run.memory.f = ('x'):rep(1e6), print end",
  }
  for name, body in pairs(files) do
    it_in("one that " .. name .. " is not noticed by the traffic", function(world)
      local pool = playbooks.pool(world, { p = body,
        q = "when = { every = '5s' }, coolDown = 0, run = function() say 'q' end" })
      local failed, asked = 0, 0
      for _ = 1, 300 do
        asked = asked + 1
        if not pool:execute "SELECT key FROM system.local" then failed = failed + 1 end
        moonpool.sleep(50)
      end
      assert.equal(0, failed)
      assert.is_true(#playbooks.said >= 1, "the other one did not run") -- the good one goes on
      pool:close()
      moonpool.sleep(60000) -- whoever is asleep wakes and finds it over
    end)
  end

  it_in("two that fight over a weight: one has the host, the other waits its turn", function(world)
    local body = always "run = function(run) run:setWeight('%s', %g) run:sleep '3s' end"
    local host = world:host(1)
    local pool = playbooks.pool(world, { a = body:format(host, 0.1), b = body:format(host, 0.9) })
    moonpool.sleep(20000)
    local steps = table.concat(playbooks.steps(pool), "\n")
    assert.matches("refused: " .. host .. " is in the hands of playbook", steps, 1, true)
    pool:close()
  end)
end)
