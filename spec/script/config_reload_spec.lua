-- SPDX-License-Identifier: Apache-2.0
-- A configuration file that changes under a running pool: all of it is applied or nothing, and events tell which.
local moonpool = require "moonpool"
local C = require "spec.support.c"
local config_file = require "spec.support.config_file"
local policies = require "spec.support.policies"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)
local none = worlds.none

local file, open, change, around = config_file.file, config_file.open, config_file.change, config_file.around
local write, touch, text_of = config_file.write, config_file.touch, config_file.text_of
local start_load, connections, ids = config_file.start_load, config_file.connections, config_file.ids
local all_new, policy = config_file.all_new, config_file.policy

describe("a change that is refused", function()
  local function refused(world, pool, told, extra, patterns)
    local before = text_of { pool:getHosts()[1].connections, pool:policies().balance.name }
    local errors = #told.configError
    change(world, extra)
    assert.equal(errors + 1, #told.configError)
    local event = told.configError[errors + 1][1]
    assert.equal(file "pool.lua", event.file)
    for _, pattern in ipairs(patterns) do assert.matches(pattern, event.message, 1, true) end
    assert.same({}, told.configReload)
    assert.equal(before, text_of { pool:getHosts()[1].connections, pool:policies().balance.name })
    local ok, err = pool:reload()
    assert.is_nil(ok)
    assert.equal("CONFIG_ERROR", err.code)
    assert.matches("the configuration is unchanged", err.message, 1, true)
    moonpool.sleep(10)
    return event
  end

  local fixed = {
    { "keyspace", { keyspace = "other" },
      'keyspace: "ks" -> "other" cannot be applied while the pool runs: connections' },
    { "keyspace taken away", { keyspace = none }, 'keyspace: "ks" -> (not set) cannot be applied' },
    { "localDataCenter", { localDataCenter = "east" },
      'localDataCenter: "datacenter1" -> "east" cannot be applied while the pool runs: which hosts are local' },
    { "port", { port = 9999 }, "port: (not set) -> 9999 cannot be applied while the pool runs: the nodes are reached" },
    { "protocolVersion", { protocolVersion = 4 },
      "protocolVersion: (not set) -> 4 cannot be applied while the pool runs: a cluster is spoken to in one version" },
  }
  for _, case in ipairs(fixed) do
    it_in("names the key and what to do: " .. case[1], function(world)
      around(function()
        local pool, told = open(world)
        local event = refused(world, pool, told, case[2], { case[3], "restart" })
        assert.matches("^" .. file "pool.lua":gsub("%p", "%%%0") .. ":%d+: ", event.message)
        assert(pool:execute "SELECT key FROM system.local")
      end)
    end)
  end

  it_in("is refused whole: what could be applied is not", function(world)
    around(function()
      local pool, told = open(world)
      local grown = { coreConnectionsPerHost = { ["0"] = 4 } }
      policies.write(file "bad.lua", "return balance { name = 'Bad', plan = function(plan) plan:nonsense() end }")
      policies.write(file "good.lua", policy("Good", "plan:hosts(localDc, inTurn)"))
      policies.write(file "handlers.lua", "return function(pool) pool:on('hostDown', function() heard = 1 end) end")
      for _, case in ipairs {
        { { keyspace = "other", pooling = grown, loadBalancing = { policy = file "good.lua" } }, { "keyspace" } },
        { { pooling = grown, requestTimeout = -5 }, { "requestTimeout: got -5 (number)" } },
        { { pooling = grown, nonsense = 1 }, { "nonsense: there is no such key" } },
        { { pooling = grown, loadBalancing = { policy = file "bad.lua" } }, { "bad.lua:1: " } },
        { { pooling = grown, loadBalancing = { policy = "NoSuchPolicy" } }, { 'no balance policy "NoSuchPolicy"' } },
        { { pooling = grown, loadBalancing = { policy = "TokenAwarePolicy", shufleReplicas = true } },
          { "shufleReplicas" } },
        { { pooling = grown, loadBalancing = { policy = file "good.lua" }, retry = { policy = "NoSuchPolicy" } },
          { 'no retry policy "NoSuchPolicy"' } },
        { { pooling = grown, handlers = file "none.lua", loadBalancing = { policy = file "good.lua" } },
          { "handlers: " .. file "none.lua" .. ": No such file" } },
        { { pooling = grown, handlers = file "handlers.lua", loadBalancing = { policy = file "bad.lua" } },
          { "bad.lua:1: " } },
      } do refused(world, pool, told, case[1], case[2]) end
      moonpool.sleep(2000)
      assert.equal(3, connections(pool))
      assert.equal("TokenAwarePolicy", pool:policies().balance.name)
      change(world, { pooling = grown })
      assert.equal(1, #told.configReload)
      world:eventually("it grows", function() return connections(pool) == 12 end)
    end)
  end)

  local bad = {
    { "syntax", function() policies.write(file "pool.lua", "return {\n  port = = 1 }") end,
      "pool.lua:2: unexpected symbol" },
    { "an error", function() policies.write(file "pool.lua", "local a\nerror 'no'") end, "pool.lua:2: no" },
    { "no table", function() policies.write(file "pool.lua", "return 5") end, "the file must return a table, got" },
    { "nothing", function() policies.write(file "pool.lua", "") end, "the file must return a table" },
    { "no end", function() policies.write(file "pool.lua", "while true do end") end, "it did not come to its end" },
    { "bytecode", function() policies.write(file "pool.lua", string.dump(loadstring "return {}")) end,
      "this is bytecode" },
    { "hidden bytecode", function() policies.write(file "pool.lua", "\239\187\191#!\n\27LJ\2\3") end,
      "pool.lua:1: this is bytecode" },
    { "bytes", function() policies.write(file "pool.lua", "return {}\0") end, "this is not text" },
    { "no file", function() os.remove(file "pool.lua") end, "No such file" },
    { "a directory", function() os.execute(("rm '%s' && mkdir '%s'"):format(file "pool.lua", file "pool.lua")) end,
      "this is not a regular file" },
    { "a pipe", function() os.execute(("rm '%s' && mkfifo '%s'"):format(file "pool.lua", file "pool.lua")) end,
      "this is not a regular file" },
    { "a gigabyte", function() os.execute(("truncate -s 1G '%s'"):format(file "pool.lua")) end,
      "the file is too big" },
  }
  for _, case in ipairs(bad) do
    it_in("may be a file with " .. case[1], function(world)
      around(function()
        local pool, told = open(world)
        case[2]()
        touch(world)
        assert.equal(1, #told.configError)
        assert.matches(case[3], told.configError[1][1].message, 1, true)
        assert(pool:execute "SELECT key FROM system.local")
        os.execute("rm -rf '" .. file "pool.lua" .. "'")
        change(world, { requestTimeout = 1500 })
        assert.equal(1, #told.configReload)
      end)
    end)
  end
end)

describe("a configuration", function()
  it_in("tells what changed, old and new, and no secret", { user = "ana", password = "old secret" }, function(world)
    around(function()
      local pool, told = open(world, { requestTimeout = 1000, auth = { username = "ana", password = "old secret" } })
      write(world, { requestTimeout = 1500, contactPoints = { "127.0.0.1:9042", "127.0.0.2" },
        auth = { username = "ana", password = "new secret" } })
      assert.is_true(pool:reload())
      moonpool.sleep(50)
      assert.same({ file = file "pool.lua", changes = {
        { key = "contactPoints", from = '{ "127.0.0.1" }', to = '{ "127.0.0.1:9042", "127.0.0.2" }' },
        { key = "auth.password", from = "(secret)", to = "(changed)" },
        { key = "requestTimeout", from = "1000", to = "1500" },
      } }, told.configReload[1][1])
    end)
  end)

  it_in("shows no secret when it is not even Lua", function(world)
    around(function()
      local _, told = open(world)
      for i, text in ipairs { 'password = "abc123', "password = 'x' 'abc123'", "password = [[abc123",
        'password "abc123"' } do
        policies.write(file "pool.lua", "return { auth = {\n " .. text .. " }")
        touch(world)
        local message = told.configError[i][1].message
        assert.not_matches("abc123", message, 1, true)
        assert.matches("pool.lua:%d: ", message)
      end
    end)
  end)

  it_in("that says the same in other words has not changed", function(world)
    around(function()
      local pool, told = open(world)
      policies.write(file "pool.lua", "-- a comment\nlocal t = " .. text_of(world:configuration()) .. "\nreturn t")
      touch(world)
      assert.is_true(pool:reload())
      moonpool.sleep(50)
      assert.same({}, told.configReload)
      assert.same({}, told.configError)
    end)
  end)

  it_in("may name what was found by itself", function(world)
    around(function()
      local pool, told = open(world, { localDataCenter = none })
      change(world, { localDataCenter = "datacenter1", port = 9042, protocolVersion = 5 })
      assert.same({}, told.configError)
      assert.equal(1, #told.configReload)
      assert(pool:execute "SELECT key FROM system.local")
    end)
  end)

  it_in("may change in everything before the pool was connected", function(world)
    around(function()
      write(world, { localDataCenter = "nowhere", keyspace = "none", protocolVersion = 3 })
      local pool = moonpool.ConnectionPool(file "pool.lua")
      world.pools[#world.pools + 1] = pool
      assert.is_nil((pool:connect()))
      write(world)
      assert.is_true(pool:reload())
      assert(pool:connect())
      world:waitUp(pool)
      world:schema "CREATE TABLE ks.here (id int PRIMARY KEY)"
      assert(pool:execute "SELECT id FROM here")
    end)
  end)

  it_in("that is a table has nothing to reload but its files", function(world)
    local pool = world:pool()
    assert.is_true(pool:reload())
    pool:close()
    local ok, err = pool:reload()
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
  end)

  it_in("is forgotten with its pool", function(world)
    around(function()
      local pool = open(world)
      pool:close()
      change(world, { requestTimeout = 5 })
      pool = nil -- luacheck: ignore
      collectgarbage()
      touch(world)
    end)
  end)
end)

describe("credentials", function()
  local old = { auth = { username = "ana", password = "old" } }
  local new = { auth = { username = "ana", password = "new" } }

  it_in("that change replace the connections one by one, under load", { user = "ana", password = "old" },
    function(world)
      around(function()
        world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v text)"
        old.pooling = { coreConnectionsPerHost = { ["0"] = 3 }, connectionsPerSecond = 5 }
        new.pooling = old.pooling
        local pool, told = open(world, old)
        world:eventually("nine", function() return connections(pool) == 9 end)
        local before = ids(pool)
        local load = start_load(world, pool)
        world.cluster:setPassword "new"
        change(world, new)
        assert.equal(1, #told.configReload)
        local least = 1000
        world:eventually("all are new", function()
          least = math.min(least, connections(pool))
          return all_new(before, (ids(pool))) and connections(pool) == 9
        end, 20000)
        assert.is_true(least >= 9)
        load.finish()
      end)
    end)

  it_in("that are wrong leave the old connections, and the right ones replace them", { user = "ana", password = "old" },
    function(world)
      around(function()
        world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v text)"
        local pool = open(world, { auth = { username = "ana", password = "old" } })
        local before = ids(pool)
        local load = start_load(world, pool)
        change(world, { auth = { username = "ana", password = "wrong" } })
        moonpool.sleep(30000)
        assert.equal(3, connections(pool))
        assert.equal(3, world:upCount(pool))
        world.cluster:setPassword "new"
        change(world, { auth = { username = "ana", password = "new" } })
        world:eventually("all are new", function() return all_new(before, (ids(pool))) end, 20000)
        load.finish()
      end)
    end)
end)

describe("many changes", function()
  it_in("lose no request, keep no memory, and end where the last good file is", function(world)
    around(function()
      world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v text)"
      local pool, told = open(world)
      local load = start_load(world, pool)
      local function turn(i)
        if i % 3 == 0 then
          local broken = { "return {", "return { keyspace = 'other' }", "return { requestTimeout = {} }", "error()" }
          policies.write(file "pool.lua", broken[i / 3 % 4 + 1])
        else
          write(world, { requestTimeout = 2000 + i, pooling = { coreConnectionsPerHost = { ["0"] = 1 + i % 2 } },
            loadBalancing = { policy = i % 2 == 0 and "RoundRobinPolicy" or "TokenAwarePolicy" } })
        end
        world.sim:touch(file "pool.lua")
        moonpool.sleep(30)
      end
      for i = 1, 30 do turn(i) end
      collectgarbage()
      collectgarbage()
      local before = collectgarbage "count"
      for i = 31, 92 do turn(i) end
      collectgarbage()
      collectgarbage()
      assert.is_true(collectgarbage "count" < before + 200)
      assert.equal(30, #told.configError)
      assert.equal(62, #told.configReload)
      load.finish()
      assert.equal("RoundRobinPolicy", pool:policies().balance.name)
      world:eventually("idle ones leave", function() return connections(pool) == 3 end, 120000)
    end)
  end)
end)

describe("a change without memory", function()
  after_each(function() C.mp_mem_fail_at(0, false) end)

  it_in("happens whole or not at all, whichever allocation fails", function(world)
    around(function()
      local pool = open(world)
      local core = require "moonpool.core_loader"
      local config = require "moonpool.config"
      local checked = config.check(world:configuration { requestTimeout = 1234,
        pooling = { coreConnectionsPerHost = { ["0"] = 2 } }, contactPoints = { "127.0.0.1", "127.0.0.2" },
        regionSettings = { datacenter1 = { priority = 1 } } })
      local refused = 0
      for nth = 1, 1000 do
        C.mp_mem_fail_at(nth, false)
        local called, ok = pcall(core.applyConfig, pool, checked)
        C.mp_mem_fail_at(0, false)
        if called and ok then break end
        refused = refused + 1
        moonpool.sleep(100)
        assert.equal(3, connections(pool))
      end
      assert.is_true(refused > 10 and refused < 1000)
      world:eventually("it grows", function() return connections(pool) == 6 end)
    end)
  end)
end)
