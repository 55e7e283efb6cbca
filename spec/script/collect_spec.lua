-- SPDX-License-Identifier: Apache-2.0
-- X1: what C goes on with after Lua ran may be collected meanwhile, at any allocation, and a finalizer may call
-- anything that does not wait. The hard build collects everything wherever C resumes Lua.
local moonpool = require "moonpool"
local core = require "moonpool.core_loader"
local sim = require "moonpool.sim"
local it_in = require("spec.support.world").inside(it)

local CREATE = "CREATE TABLE ks.users (id int PRIMARY KEY, name text, age int)"

-- fn is called when the object is collected: soon, unless it is held.
local function when_collected(fn)
  local object = newproxy(true)
  getmetatable(object).__gc = fn
  return object
end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Every allocation collects everything; or, at a slower pace, collections follow one another without a pause.
local function collecting(fn, pace)
  local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", pace or 1000000)
  collectgarbage()
  local function give(ok, ...)
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    if not ok then error((...), 0) end
    return ...
  end
  return give(pcall(fn))
end

describe("a pool that nobody holds any more", function()
  it_in("may be collected while its own close resumes those that waited for it", function(world)
    for closers = 1, 3 do
      local ended = 0
      do
        local pool = moonpool.ConnectionPool(world:configuration())
        assert(pool:connect())
        for _ = 1, closers do
          moonpool.spawn(function()
            pool:close()
            ended = ended + 1
            collect()
          end)
        end
      end
      world:eventually("all of them end", function() return ended == closers end)
      collect()
    end
  end)

  it_in("may be used by a finalizer that comes after its own, and stands in weak tables for a while", function(world)
    local told = {}
    do
      local held = {}
      when_collected(function() -- made before the pool, so it comes behind it
        local pool = held.pool
        for name in pairs(core.poolMethods) do
          local ok, why = pcall(pool[name], pool, "balance", "x")
          told[#told + 1] = ok and name .. " went on" or tostring(why)
        end
        told.text = tostring(pool)
        told.answer = require("moonpool.cli.control").answer '{"verb":"health"}'
      end)
      held.pool = moonpool.ConnectionPool(world:configuration())
    end
    collect()
    collect()
    assert.is_true(#told > 10)
    for _, why in ipairs(told) do assert.not_matches("went on", why) end
    assert.equal("moonpool pool (collected)", told.text)
    assert.is_string(told.answer)
  end)

  it_in("may be collected in every state", function(world)
    collecting(function()
      moonpool.ConnectionPool(world:configuration())
      moonpool.ConnectionPool(world:configuration()):connect()
      moonpool.ConnectionPool(world:configuration { contactPoints = { "127.0.0.99" } }):connect()
      local pool = moonpool.ConnectionPool(world:configuration())
      moonpool.spawn(function() return pool:connect() end)
      pool = moonpool.ConnectionPool(world:configuration())
      pool:connect()
      pool:on("hostDown", print)
      pool:close()
    end, 400)
    collect()
    moonpool.sleep(5000)
    collect()
    moonpool.sleep(100)
  end)

  it_in("may be collected by the answer of its own request", function(world)
    world:schema(CREATE)
    local pool = moonpool.ConnectionPool(world:configuration())
    assert(pool:connect())
    local insert = assert(pool:prepare "INSERT INTO users (id, name, age) VALUES (?, ?, ?)")
    local futures = {}
    for i = 1, 20 do
      pool:executeAsync(insert, { i, "x", i })
      futures[i] = pool:executeAsync("SELECT cluster_name FROM system.local")
    end
    pool, insert = nil, nil -- luacheck: ignore 311
    collect()
    for i = 1, 20 do
      local result, err = futures[i]:wait()
      assert.is_true(result ~= nil or err.code == "CLOSED", tostring(err))
      collect()
    end
  end)

  it_in("may be collected while it prepares and while it connects", function(world)
    world:schema(CREATE)
    world.cluster:rule { opcode = "PREPARE", delay = 100 }
    local pool = moonpool.ConnectionPool(world:configuration())
    assert(pool:connect())
    local text = "SELECT name FROM users WHERE id = ?"
    for _ = 1, 3 do pool:executeAsync(text, { 1 }) end
    moonpool.sleep(1)
    pool = nil -- luacheck: ignore 311
    collect()
    moonpool.sleep(1000)
    collect()
  end)

  it_in("may be collected, closed and asked by the translator of its addresses", function(world)
    for _, act in ipairs { "collect", "spawn", "reload", "ask" } do
      local armed, calls, pool = false, 0, nil
      local configuration = world:configuration { addressTranslator = function(address)
        if not armed then return address end
        calls = calls + 1
        if act == "collect" then pool = nil end
        if act == "spawn" then moonpool.spawn(function() if pool then pool:close() end end) end
        if act == "reload" and pool then pool:reload() end
        if act == "ask" and pool then
          pool:executeAsync "SELECT key FROM system.local"
          pool:getHosts()
          pool:setHostTags(pool:getHosts()[1].address, { "x" })
        end
        collect()
        return address
      end }
      pool = moonpool.ConnectionPool(configuration)
      assert(pool:connect())
      world:waitUp(pool)
      armed = true
      local node = world.cluster:addNode()
      world:eventually("it was asked", function() return calls > 0 end)
      world.cluster:removeNode(node)
      moonpool.sleep(3000)
      if pool then pool:close() end
      armed, pool = false, nil
      collect()
      moonpool.sleep(100)
    end
  end)
end)

describe("a statement", function()
  it_in("outlives the coroutine that executed it first", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local select = assert(pool:prepare "SELECT name FROM users WHERE id = ?")
    -- Text that fails, so that the coroutine is not used again.
    core.start(function()
      assert(pool:execute(select, { 1 }))
      error(setmetatable({}, { __tostring = function() return "the end that this spec is about" end }))
    end)
    moonpool.sleep(1000)
    collect()
    assert(pool:execute(select, { 1 }))
    pool:close()
  end)

  it_in("of a closed pool that was collected is refused", function(world)
    world:schema(CREATE)
    local pool = moonpool.ConnectionPool(world:configuration())
    assert(pool:connect())
    local select = assert(pool:prepare "SELECT name FROM users WHERE id = ?")
    pool:close()
    pool = nil -- luacheck: ignore 311
    collect()
    assert.is_nil(select.cql)
    local other = world:pool()
    local ok, result, err = pcall(other.execute, other, select, { 1 })
    assert.is_true(not ok or (result == nil and err.code == "CLOSED"))
  end)
end)

describe("a finalizer", function()
  it_in("may submit while a request is being filled", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO users (id, name, age) VALUES (?, ?, ?)")
    local finalized, futures = 0, {}
    local function trap()
      when_collected(function()
        finalized = finalized + 1
        futures[#futures + 1] = pool:executeAsync(insert, { 1000 + finalized, "trap", 1 })
        futures[#futures + 1] = pool:executeAsync(insert, { 1000, { "no text" }, 1 })
      end)
    end
    for i = 1, 50 do
      collecting(function()
        trap()
        assert(pool:execute(insert, { id = i, name = "user " .. i, age = i }))
      end)
    end
    assert.is_true(finalized >= 40)
    for i, future in ipairs(futures) do
      local result, err = future:wait()
      if i % 2 == 1 then assert(result, err) else assert.equal("TYPE_MISMATCH", err.code) end
    end
    for i = 1, 50 do
      assert.equal("user " .. i, assert(pool:execute("SELECT name FROM users WHERE id = ?", { i })):first().name)
    end
    for i = 1, finalized do
      assert.equal("trap", assert(pool:execute("SELECT name FROM users WHERE id = ?", { 1000 + i })):first().name)
    end
  end)

  it_in("may change what is being read", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    for i = 1, 20 do
      local options = { keyspace = "ks" .. (i > 0 and "" or "x"), tag = "tag " .. i, prepare = false }
      collecting(function()
        when_collected(function()
          options.keyspace, options.tag = nil, nil
          collectgarbage()
        end)
        assert(pool:execute("SELECT name FROM users WHERE id = 1", {}, options))
      end)
    end
  end)

  it_in("may look at all that a pool tells", function(world)
    local pool = world:pool()
    local looked = 0
    for _ = 1, 10 do
      collecting(function()
        when_collected(function()
          pool:getHosts() pool:getConnectionDetails() pool:policies() pool:getMetrics()
          pool:setHostTags("127.0.0.1", { "one" })
          pool:explain(setmetatable({}, { __index = function(_, key) return key .. looked end }))
          looked = looked + 1
        end)
        pool:getHosts() pool:getConnectionDetails() pool:policies()
        pool:explain { consistency = "ONE", keyspace = "ks", routingKey = "x" }
      end)
    end
    assert.is_true(looked >= 5)
  end)

  it_in("may meet a pool that was finalized before it", function(world)
    local calls = {
      execute = { "SELECT key FROM system.local" }, prepare = { "SELECT key FROM system.local" }, connect = {},
      reload = {}, setHostWeight = { "127.0.0.1", 1 }, setHostTags = { "127.0.0.1", {} }, explain = { {} },
    }
    local collected, wrong = 0, {}
    local function meet(pool, statement)
      for name, arguments in pairs(calls) do
        local called, value, err = pcall(pool[name], pool, unpack(arguments))
        local text, right = tostring(pool), true
        if text == "moonpool pool (closed)" then right = called and value == nil and err.code == "CLOSED" end
        if text == "moonpool pool (collected)" then
          right, collected = not called and value:find("collected already", 1, true), collected + 1
        end
        if not right then wrong[#wrong + 1] = text .. " " .. name .. ": " .. tostring(called and err or value) end
      end
      for _, name in ipairs { "execute", "executeAsync" } do pcall(pool[name], pool, statement) end
      for name in pairs(core.poolMethods) do pcall(pool[name], pool) end
    end
    for round = 1, 6 do
      local function forget()
        local held = {}
        local function trap()
          held.trap = when_collected(function()
            local ok, why = pcall(meet, held.pool, held.statement)
            if not ok then wrong[#wrong + 1] = tostring(why) end
          end)
        end
        if round % 2 == 0 then trap() end -- whichever of the two is finalized first
        held.pool = moonpool.ConnectionPool(world:configuration())
        assert(held.pool:connect())
        held.statement = assert(held.pool:prepare "SELECT cluster_name FROM system.local")
        if round % 2 == 1 then trap() end
        if round > 3 then held.pool:close() end
      end
      forget()
      collect()
      moonpool.sleep(100)
      collect()
    end
    moonpool.sleep(1000)
    collect()
    assert.same({}, wrong)
    assert.is_true(collected > 0)
  end)

  it("cannot run an event loop, nor can a hook", function()
    local world = sim.world { nodes = 1 }
    local said = {}
    local function try()
      for _, run in ipairs { function(fn) return moonpool.run(fn) end, function(fn) return world:run(fn) end } do
        local ok, why = pcall(run, function() moonpool.sleep(1) end)
        said[#said + 1] = ok or why
      end
    end
    when_collected(try)
    collect()
    debug.sethook(function()
      debug.sethook()
      try()
    end, "", 1)
    for _ = 1, 100 do assert(world) end
    debug.sethook()
    assert.equal(4, #said)
    for _, why in ipairs(said) do assert.matches("inside of a finalizer", why, 1, true) end
    world:run(function() moonpool.sleep(1) end)
    world:close()
  end)

  it_in("may begin what waits", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local rows
    when_collected(function()
      moonpool.spawn(function() rows = assert(pool:execute "SELECT cluster_name FROM system.local").rows end)
    end)
    collect()
    world:eventually("it ran", function() return rows end)
  end)
end)

describe("a world that is closed", function()
  it("leaves pools, futures, statements and clusters that say so", function()
    local world = sim.world { nodes = 1, rf = 1 }
    local pool, future, statement
    world:run(function()
      pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        logging = { level = "off" } }
      assert(pool:connect())
      statement = assert(pool:prepare "SELECT cluster_name FROM system.local")
      future = core.future()
      pool:close()
    end)
    local cluster = world.cluster
    world:close()
    world = nil -- luacheck: ignore 311
    collect()
    local other = sim.world { nodes = 1 }
    other:run(function()
      for _, call in ipairs { "execute", "prepare" } do
        local result, err = pool[call](pool, "SELECT key FROM system.local")
        assert.is_nil(result)
        assert.equal("CLOSED", err.code)
      end
      assert.equal("CLOSED", select(2, pool:connect()).code)
      assert.is_true(pool:close())
      assert.same({}, pool:getConnectionDetails())
      assert.same({}, pool:getHosts())
      assert.is_nil(statement.cql)
      local ok, why = pcall(future.wait, future)
      assert.is_false(ok)
      assert.matches("another world", why)
      ok, why = pcall(cluster.kill, cluster, 1)
      assert.is_false(ok)
      assert.matches("closed", why)
    end)
    other:close()
  end)
end)

describe("a coroutine that is resumed by hand", function()
  it_in("is not given what it waited for when it is elsewhere", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local waits = {
      sleep = function() moonpool.sleep(50) end,
      execute = function() pool:execute "SELECT cluster_name FROM system.local" end,
      prepare = function() pool:prepare "SELECT name FROM users WHERE id = ?" end,
      future = function() moonpool.spawn(moonpool.sleep, 50):wait() end,
      yield = function() coroutine.yield() end,
    }
    for name, wait in pairs(waits) do
      local victim, seen = nil, {}
      local ended = false
      core.start(function()
        victim = coroutine.running()
        pcall(wait)
        while not ended do seen[#seen + 1] = coroutine.yield("mine") end
      end)
      while not victim do coroutine.yield() end
      assert.same({ true, "mine" }, { coroutine.resume(victim) }, name)
      collect()
      moonpool.sleep(3000)
      collect()
      for i = 1, 3 do
        assert.same({ true, "mine" }, { coroutine.resume(victim, i) }, name)
        moonpool.sleep(10)
      end
      assert.same({ 1, 2, 3 }, seen, name)
      ended = true
      coroutine.resume(victim)
      moonpool.sleep(100)
    end
  end)

  it_in("may end before it is its turn", function()
    local victim
    core.start(function()
      victim = coroutine.running()
      coroutine.yield()
    end)
    while not victim do coroutine.yield() end
    assert.is_true(coroutine.resume(victim))
    assert.equal("dead", coroutine.status(victim))
    moonpool.sleep(10)
    collect()
    -- What ended is used again for other tasks, and somebody still knows it.
    local ran = 0
    for _ = 1, 10 do core.start(function() ran = ran + 1 end) end
    coroutine.resume(victim)
    moonpool.sleep(10)
    assert.equal(10, ran)
  end)

  it("ends a run whose own coroutine it was", function()
    local world = sim.world { nodes = 1 }
    local ok, why = pcall(world.run, world, function()
      local victim = coroutine.running()
      core.start(function() coroutine.resume(victim) end)
      moonpool.sleep(1000)
    end)
    assert.is_false(ok)
    assert.matches("resumed by somebody else", why)
    world:run(function() moonpool.sleep(1) end)
    world:close()
  end)
end)
