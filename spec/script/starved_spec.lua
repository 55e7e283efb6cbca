-- SPDX-License-Identifier: Apache-2.0
-- What begins, and finds no memory for the coroutine or the pool that it needs: where the contract is a future, the
-- future fails; where it is `nil, err`, that is what is given; nothing is raised. And what goes on as long as its
-- pool does (events, playbooks) goes on behind it.
local C = require "spec.support.c"
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local it = require("spec.support.world").inside(it)

local Pool = core.poolMethods -- without the oracles, which begin coroutines of their own

-- No coroutine that ended is left to be used again: the next one needs memory.
local function use_up()
  repeat
    local before = C.mp_mem_stats().allocs
    moonpool.spawn(moonpool.sleep, 50)
  until C.mp_mem_stats().allocs > before
end

-- begin() is called once for each allocation that it makes, which is refused then: how often check() said that it
-- failed.
-- `most`: only so many of them.
local function refused(begin, check, most)
  local function try(nth)
    use_up()
    local before = C.mp_mem_stats().allocs
    C.mp_mem_fail_at(nth, false)
    local ok, first, second = pcall(begin)
    local made = tonumber(C.mp_mem_stats().allocs - before)
    C.mp_mem_fail_at(0, false)
    assert(ok, ("allocation %d: %s"):format(nth, tostring(first)))
    return made, check(first, second) and 1 or 0
  end
  local count = 0
  for nth = 1, math.min(try(0), most or math.huge) do count = count + select(2, try(nth)) end
  return count
end

describe("without memory", function()
  local folder
  setup(function() folder = policies.folder() end)
  teardown(function() policies.remove(folder) end)
  after_each(function() C.mp_mem_fail_at(0, false) end)

  local function fails(future)
    local value, err = future:wait()
    if value ~= nil or err == nil then return false end
    assert.equal("NO_MEMORY", err.code)
    return true
  end

  it("a future fails and nothing is raised", {}, function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
    local pool, round = world:pool(), 0
    local function text() -- one that nobody has prepared yet
      round = round + 1
      return ("SELECT v AS v%d FROM ks.t WHERE k = ?"):format(round)
    end
    local function result(_, err) return err end
    assert.is_true(refused(function() return Pool.executeAsync(pool, text(), { 1 }) end, fails) > 0)
    assert.is_true(refused(function()
      return Pool.batchAsync(pool, { { "DELETE FROM ks.t WHERE k = ?", { round } } })
    end, fails) > 0)
    assert.is_true(refused(function() return moonpool.spawn(result) end, fails) > 0)
    assert.is_true(refused(function() return moonpool.detach(result) end, fails) > 0)
    assert(pool:execute(text(), { 1 }))
  end)

  it("a function that is spawned does not begin", {}, function()
    use_up()
    C.mp_mem_fail_at(1, false)
    local future = moonpool.spawn(function() error "it cannot run" end)
    C.mp_mem_fail_at(0, false)
    assert.is_true(future:done())
    assert.is_true(fails(future))
  end)

  it("what may not compute for long does not begin, and nothing of it is left", {}, function()
    local made, count = setmetatable({}, { __mode = "k" }), 0
    for _ = 1, 20 do
      count = count + refused(function()
        local future = core.spawnLimited(1000, function() return true end)
        made[future] = true
        return future
      end, fails, 1)
    end
    assert.equal(20, count)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(made))
  end)

  it("a coroutine sleeps all the same", {}, function()
    local futures, woken = {}, 0
    for i = 1, 200 do
      futures[i] = moonpool.spawn(function()
        moonpool.sleep(5)
        C.mp_mem_fail_at(1, true)
        local ok = pcall(moonpool.sleep, 10)
        woken = woken + (ok and 1 or 0)
        C.mp_mem_fail_at(0, false)
      end)
    end
    moonpool.all(futures)
    assert.equal(200, woken)
  end)

  it("what pools have counted is nil and an error", {}, function(world)
    local pool = world:pool()
    local function fails_alone(text, err)
      if text then return false end
      assert.equal("NO_MEMORY", err.code)
      return true
    end
    assert.is_true(refused(function() return core.openMetrics({ pool }, { 1 }) end, fails_alone) > 0)
  end)

  -- Behind the first hundreds policies are compiled, in Lua states of their own; LuaJIT has many words for a lack.
  it("a pool is nil and an error", {}, function(world)
    local function file(name, text)
      policies.write(folder .. "/" .. name, text)
      return folder .. "/" .. name
    end
    local configuration = world:configuration { contactPoints = { "127.0.0.1", "127.0.0.2" },
      handlers = file("handlers.lua", "return function(pool) pool:on('hostDown', function() end) end"),
      playbooks = { file("book.lua", "return playbook { name = 'book', when = { event = 'hostDown' }, " ..
        "run = function() end }") } }
    local failed, total = 0, nil
    local function try(nth)
      local before = C.mp_mem_stats().allocs
      C.mp_mem_fail_at(nth, false)
      local ok, pool, err = pcall(moonpool.ConnectionPool, configuration)
      total = total or tonumber(C.mp_mem_stats().allocs - before)
      C.mp_mem_fail_at(0, false)
      assert(ok, ("allocation %d: %s"):format(nth, tostring(pool)))
      if pool then return pool:close() end
      assert.equal("NO_MEMORY", err.code, nth)
      failed = failed + 1
    end
    try(0)
    for nth = 1, 300 do try(nth) end
    for nth = 301, total, math.max(1, math.floor(total / 300)) do try(nth) end
    assert.is_true(failed > 100, failed)
  end)

  it("handlers miss an event, are told so, and hear of the next one", {}, function(world)
    local pool = world:pool()
    local heard, dropped = 0, 0
    pool:on("hostDown", function() heard = heard + 1 end)
    pool:on("eventsDropped", function(event) dropped = dropped + event.count end)
    local function restart()
      world.cluster:kill(2)
      world:waitStatus(pool, 2, "down")
      world.cluster:start(2)
      world:waitStatus(pool, 2, "up")
      moonpool.sleep(100)
    end
    restart()
    assert.equal(1, heard)
    local start = core.start
    core.start = function() -- for whom there is no memory, once
      core.start = start
      error(core.noMemory, 0)
    end
    local ok, err = pcall(restart)
    core.start = start
    assert(ok, err)
    assert.equal(1, heard)
    restart()
    assert.equal(2, heard)
    assert.equal(1, dropped)
  end)

  it("a handlers file is replaced, and the calls of the one before have no time left", {}, function(world)
    local path = folder .. "/replaced.lua"
    local function write(name)
      policies.write(path, ([[return function(pool)
        pool:on("hostDown", function() said("%s") require("moonpool").sleep(1000) said("%s ended") end)
      end]]):format(name, name))
    end
    local heard = {}
    _G.said = function(text) heard[#heard + 1] = text end -- luacheck: ignore
    write "first"
    local pool = world:pool { handlers = path }
    world:waitUp(pool)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(10)
    write "second"
    local start = core.start
    core.start = function()
      core.start = start
      error(core.noMemory, 0)
    end
    local ok, err = pool:reload()
    core.start = start
    assert(ok, err)
    moonpool.sleep(2000)
    _G.said = nil -- luacheck: ignore
    assert.same({ "first", "second", "second ended" }, heard)
  end)

  it("a handler of eventsDropped that cannot be called is not told of itself", {}, function(world)
    local pool = world:pool()
    pool:on("hostDown", function() end)
    pool:on("eventsDropped", function() end)
    local start = core.start
    core.start = function() error(core.noMemory, 0) end
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(100)
    core.start = start
    assert.is_true(pool:getStats().eventsDropped >= 2)
    assert(pool:execute "SELECT key FROM system.local")
  end)
end)
