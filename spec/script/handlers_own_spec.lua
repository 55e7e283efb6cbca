-- SPDX-License-Identifier: Apache-2.0
-- What a handlers file has begun belongs to it: coroutines and runs of playbooks end when another text takes its place,
-- unless they were handed over; what it remembered and what happened before are told to the one that comes.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local folder, said
local function file(name) return folder .. "/" .. name end

-- What handlers of a file say goes here: they are in this very Lua state.
local function say(...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = tostring(word) end
  said[#said + 1] = table.concat(words, " ")
end

local function count(word)
  local times = 0
  for _, each in ipairs(said) do times = times + (each:find(word, 1, true) and 1 or 0) end
  return times
end

describe("a handlers file", function()
  before_each(function()
    folder, said = policies.folder(), {}
    _G.say = say -- luacheck: ignore
  end)
  after_each(function()
    _G.say = nil -- luacheck: ignore
    os.execute("rm -rf '" .. folder .. "'")
  end)

  local HEAD = "local moonpool = require 'moonpool' return function(pool) "

  local function pool_with(world, body, extra)
    policies.write(file "handlers.lua", HEAD .. body .. " end")
    extra = extra or {}
    extra.handlers = file "handlers.lua"
    local pool = world:pool(extra)
    world:waitUp(pool)
    return pool
  end

  local function change(world, body)
    policies.write(file "handlers.lua", HEAD .. body .. " end")
    world.sim:touch(file "handlers.lua")
    moonpool.sleep(100)
  end

  local function kill(world, pool, node)
    world.cluster:kill(node)
    world:waitStatus(pool, node, "down")
    moonpool.sleep(10)
  end

  it_in("ends nothing that others wait for, too: a schema that it asked for first", function(world)
    world.sim:latency(50)
    _G.say = function() return true end -- luacheck: ignore
    local pool = pool_with(world, "moonpool.spawn(function() while say 'wait?' do moonpool.sleep(5) end " ..
      "say(pool:schema()) end)")
    _G.say = function(what) -- luacheck: ignore
      if what ~= "wait?" then say(what) end
    end
    moonpool.sleep(50)
    local ours = world:spawn(function() return pool:schema() end)
    change(world, "")
    local seen, err = ours:wait()
    assert.is_nil(err)
    assert.is_truthy(seen.keyspaces.ks)
    assert.equal(0, count "table") -- the file's own
    -- It is kept by events all the same, whoever asked first.
    world:schema "CREATE TABLE ks.later (id int PRIMARY KEY)"
    moonpool.sleep(3000)
    assert.is_truthy(assert(pool:schema "ks").tables.later)
  end)

  it_in("ends the coroutines that it began while it was loaded", function(world)
    local pool = pool_with(world, "moonpool.spawn(function() while true do say 'tick' moonpool.sleep(100) end end)")
    moonpool.sleep(1000)
    assert.is_true(count "tick" >= 10)
    change(world, "")
    local ticks = count "tick"
    moonpool.sleep(10000)
    assert.equal(ticks, count "tick")
    assert.equal(0, pool:getHandlerErrors())
    pool:close()
  end)

  it_in("ends those that its handlers began, and those that these began; a handler itself finishes", function(world)
    local pool = pool_with(world, [[pool:on("hostDown", function()
      moonpool.spawn(function()
        moonpool.spawn(function() moonpool.sleep(5000) say "inner" end)
        moonpool.sleep(5000)
        say "outer"
      end)
      moonpool.sleep(5000)
      say "handler"
    end)]])
    kill(world, pool, 2)
    change(world, "")
    moonpool.sleep(10000)
    assert.same({ "handler" }, said)
    pool:close()
  end)

  it_in("gives a handler that goes on a minute, and what it begins goes on with it", function(world)
    local pool = pool_with(world, [[pool:on("hostDown", function()
      moonpool.sleep(1000)
      say(moonpool.spawn(function() moonpool.sleep(1000) return "begun later" end):wait())
      while true do moonpool.sleep(1000) say "on" end
    end)]])
    kill(world, pool, 2)
    change(world, "")
    moonpool.sleep(20000)
    assert.equal(1, count "begun later")
    assert.is_true(count "on" > 10)
    moonpool.sleep(45000)
    local times = count "on"
    moonpool.sleep(60000)
    assert.equal(times, count "on")
    assert.is_true(times <= 60)
    assert.equal(0, pool:getHandlerErrors())
    pool:close()
  end)

  it_in("tells a coroutine that it ends where it waits, so that it can tidy up", function(world)
    local pool = pool_with(world, [[moonpool.spawn(function()
      local ok, why = pcall(function() moonpool.sleep(60000) end)
      say(ok, why)
      say(pcall(moonpool.sleep, 1))
      say(pcall(pool.execute, pool, "SELECT key FROM system.local"))
      say "tidied up"
    end)]])
    moonpool.sleep(10)
    change(world, "")
    assert.equal(4, #said)
    for i = 1, 3 do
      assert.matches("^false ", said[i])
      assert.matches("handlers.lua was replaced: what it has begun ends with it", said[i], 1, true)
    end
    assert.equal("tidied up", said[4])
    pool:close()
  end)

  it_in("ends those that wait for a future, for a request, for each other", function(world)
    local pool = pool_with(world, [[
      local never = moonpool.spawn(function() moonpool.sleep(1e9) end)
      moonpool.spawn(function() say("future", pcall(never.wait, never)) end)
      moonpool.spawn(function()
        moonpool.sleep(500)
        say("request", pcall(pool.execute, pool, "SELECT key FROM system.local"))
        say("after", pcall(moonpool.sleep, 1))
      end)]])
    world.cluster:rule { statement = "system.local", delay = 1000 }
    moonpool.sleep(1000) -- its request is on its way
    change(world, "")
    assert.equal(1, count "future false")
    moonpool.sleep(5000)
    assert.equal(0, count "request true")
    assert.equal(1, count "after false")
    pool:close()
  end)

  local stubborn = {
    ["catches every error and waits again"] = "while true do pcall(moonpool.sleep, 1) end",
    ["catches every error and yields"] = "while true do pcall(coroutine.yield) end",
    ["catches every error and computes"] = "pcall(moonpool.sleep, 1e6) while true do pcall(function() "
      .. "local n = 0 while true do n = n + 1 end end) end",
    ["begins others instead"] = "local function again() pcall(moonpool.sleep, 1e6) moonpool.spawn(again) end again()",
  }
  for what, body in pairs(stubborn) do
    it_in("ends a coroutine that " .. what, function(world)
      local pool = pool_with(world, "moonpool.spawn(function() say 'begun' " .. body .. " end)")
      moonpool.sleep(100)
      change(world, "pool:on('hostDown', function() say 'new' end)")
      kill(world, pool, 2)
      assert.same({ "begun", "new" }, said)
      pool:close()
    end)
  end

  it_in("does nothing behind a wait that was cut short, be it compiled", function(world)
    local pool = pool_with(world, [[
      local n = 0
      pool.memory.count = function() return n end
      moonpool.spawn(function()
        while true do moonpool.sleep(n >= 500 and 1e6 or 1) n = n + 1 end
      end)]])
    moonpool.sleep(2000)
    change(world, "pool:on('reload', function(memory) say(memory.count()) end)")
    assert.same({ "500" }, said)
    moonpool.sleep(10000)
    pool:close()
  end)

  it_in("begins nothing when it is refused", function(world)
    local pool = pool_with(world, "moonpool.spawn(function() say 'old' moonpool.sleep(1e6) end)")
    change(world, "moonpool.spawn(function() say 'never' end) error 'no'")
    moonpool.sleep(1000)
    assert.same({ "old" }, said)
    pool:close()
  end)

  it_in("hands over what it detaches", function(world)
    local pool = pool_with(world, [[pool.memory.sweeper = moonpool.detach(function()
      moonpool.spawn(function() moonpool.sleep(2000) say "of the detached" end)
      moonpool.sleep(3000)
      return "swept"
    end)]])
    moonpool.sleep(10)
    change(world, "pool:on('reload', function(memory) say(memory.sweeper:wait()) end)")
    moonpool.sleep(5000)
    assert.same({ "of the detached", "swept" }, said)
    pool:close()
  end)

  it_in("gives its memory to the one that follows, which hears of it before all else", function(world)
    local pool = pool_with(world, "pool.memory.count = 1 pool:on('reload', function() say 'first' end)")
    for generation = 2, 4 do
      change(world, [[pool:on("handlersReload", function(e) say(e.generation) end)
        pool:on("reload", function(memory)
          pool.memory = { count = memory.count + 1 }
          say("count", pool.memory.count)
        end)
        -- ]] .. generation .. "\n")
    end
    assert.same({ "count 2", "2", "count 3", "3", "count 4", "4" }, said)
    assert.has_error(function() pool:on("reload", print) end) -- the application has no such thing
    pool:close()
  end)

  it_in("is told the hosts that are down when it is loaded", function(world)
    local pool = pool_with(world, "")
    kill(world, pool, 2)
    change(world, "pool:on('hostDown', function(host, why) say('down', host, type(why)) end)")
    assert.same({ "down " .. world:host(2) .. " string" }, said)
    kill(world, pool, 3)
    assert.equal(2, #said)
    pool:close()
  end)

  it_in("is told the hosts that were down when the pool connected", function(world)
    world.cluster:kill(2)
    moonpool.sleep(2000) -- the others know
    policies.write(file "handlers.lua", HEAD .. "pool:on('hostDown', function(host) say('down', host) end) end")
    local pool = world:pool { handlers = file "handlers.lua" }
    moonpool.sleep(20000)
    assert.same({ "down " .. world:host(2) }, said)
    pool:close()
  end)

  it_in("ends the playbooks that it began, but for those that it keeps", function(world)
    policies.write(file "long.lua", [[return playbook { name = "long", coolDown = 0,
      run = function(run) run:sleep "1h" end }]])
    local pool = pool_with(world, [[pool:on("hostDown", function()
      pool:runPlaybook("long", { host = "a" })
      pool:runPlaybook("long", { host = "b", keep = true })
    end)]], { playbooks = { file "long.lua" } })
    kill(world, pool, 2)
    assert.equal(2, #pool:playbooks()[1].running)
    change(world, "")
    moonpool.sleep(1000)
    local running = pool:playbooks()[1].running
    assert.equal(1, #running)
    assert.equal("b", running[1].host)
    pool:close()
  end)

  it_in("is named with its line when what it has begun holds everything up", function(world)
    _G.block = function() world.sim:jump(40) end -- luacheck: ignore
    local pool = pool_with(world, "\nmoonpool.spawn(function() while true do moonpool.sleep(100) block() end end)")
    moonpool.sleep(500)
    local found = pool:analyzePerformance().bottlenecks
    assert.equal("blockedLoop", found[1].kind)
    assert.matches("what was begun at .*handlers.lua:2 held everything up", found[1].message)
    change(world, "")
    pool:close()
    _G.block = nil -- luacheck: ignore
  end)

  it_in("ends with its pool", function(world)
    local pool = pool_with(world, [[
      moonpool.spawn(function() while true do say "tick" moonpool.sleep(100) end end)
      pool:on("hostDown", function() while true do say "on" moonpool.sleep(100) end end)]])
    kill(world, pool, 2)
    pool:close()
    moonpool.sleep(3000)
    said = {}
    moonpool.sleep(3000)
    assert.same({}, said)
  end)

  it_in("leaves nothing behind over many generations", function(world)
    local body = [[
      for _ = 1, 5 do moonpool.spawn(function() while true do moonpool.sleep(10) end end) end
      pool:on("hostDown", function() moonpool.sleep(1e6) end)]]
    local pool = pool_with(world, body)
    local function alive()
      collectgarbage() collectgarbage()
      local some = 0
      for _ = 1, 3 do moonpool.sleep(1) end
      for _, what in pairs(debug.getregistry()) do some = some + (type(what) == "thread" and 1 or 0) end
      return some
    end
    for i = 1, 10 do change(world, body .. " --" .. i .. "\n") end
    local before = alive()
    for i = 1, 30 do change(world, body .. " --" .. i .. "\n") end
    assert.is_true(alive() <= before + 5)
    pool:close()
  end)
end)

describe("an owner of coroutines", function()
  it_in("is nobody else's, and a coroutine that serves belongs to nobody", function(world)
    local owner, lasts = core.owner(), 0
    core.within(owner, moonpool.spawn, function()
      core.start(function()
        core.serve()
        for _ = 1, 10 do moonpool.sleep(10) lasts = lasts + 1 end
      end)
      moonpool.sleep(1e6)
    end)
    local other = moonpool.spawn(function() moonpool.sleep(50) return "well" end)
    moonpool.sleep(10)
    assert.equal(1, core.ownerCount(owner))
    core.endOwner(owner, "that is enough")
    moonpool.sleep(1)
    assert.equal(0, core.ownerCount(owner))
    assert.equal("well", other:wait())
    moonpool.sleep(200)
    assert.equal(10, lasts)
    world:calm()
  end)

  it_in("gives its error to who waits for the end of what it owned", function()
    local owner = core.owner()
    local future = core.within(owner, moonpool.spawn, function() moonpool.sleep(1e6) end)
    moonpool.sleep(10)
    core.endOwner(owner, "that is enough")
    local value, err = future:wait()
    assert.is_nil(value)
    assert.matches("that is enough", tostring(err), 1, true)
  end)
end)
