-- SPDX-License-Identifier: Apache-2.0
-- The require through which a coroutine can wait: the original's results and words, and what the original cannot.
local modules = require "moonpool.modules"
local moonpool = require "moonpool"
local program = require "spec.support.program"
local it_in = require("spec.support.world").inside(it)

local count = 0

-- A name that nobody has used, with its loader.
local function fresh(loader)
  count = count + 1
  local name = "spec.module" .. count
  package.preload[name] = loader
  return name
end

-- ---- as the original --------------------------------------------------------------------------------------

-- Each gets a require and gives what is to be the same with both; names are told apart by their number only.
local scenarios = {
  { "a value", function(require) return require(fresh(function() return 7 end)) end },
  { "false", function(require)
    local name = fresh(function() return false end)
    return require(name), require(name)
  end },
  { "a function that calls itself for ever", function(require)
    local function deep() return 1 + deep() end
    return pcall(require, fresh(deep))
  end },
  { "nothing", function(require) local name = fresh(function() end) return require(name), package.loaded[name] end },
  { "its name", function(require) return require(fresh(function(...) return select("#", ...) .. ... end)) end },
  { "what it put into package.loaded", function(require)
    return require(fresh(function(name) package.loaded[name] = "put" end))
  end },
  { "nothing, having taken itself out", function(require)
    return require(fresh(function(name) package.loaded[name] = nil end))
  end },
  { "module()", function(require)
    local name = fresh(function(name) module(name) _M.x = 1 end) -- luacheck: ignore
    return require(name).x, package.loaded[name] == require(name)
  end },
  { "once", function(require)
    local runs = 0
    local name = fresh(function() runs = runs + 1 return {} end)
    return require(name) == require(name), runs
  end },
  { "again, when it was taken out", function(require)
    local runs = 0
    local name = fresh(function() runs = runs + 1 return runs end)
    require(name)
    package.loaded[name] = nil
    return require(name)
  end },
  { "an error", function(require)
    local name = fresh(function() error "boom" end)
    local first, second = { pcall(require, name) }, { pcall(require, name) }
    return first[1], first[2], second[1], second[2]
  end },
  { "an error that is a table", function(require)
    local thrown = {}
    return select(2, pcall(require, fresh(function() error(thrown) end))) == thrown
  end },
  { "an error that is nil", function(require) return pcall(require, fresh(function() error() end)) end },
  { "an error of a call", function(require)
    return pcall(function() local x = require(fresh(function() local y = nil y() end)) return x end)
  end },
  { "itself", function(require)
    local name
    name = fresh(function() return require(name) end)
    return pcall(function() local x = require(name) return x end)
  end },
  { "a ring", function(require)
    local first, second
    first = fresh(function() return require(second) end)
    second = fresh(function() local x = require(first) return x end)
    return pcall(require, first)
  end },
  { "what is nowhere", function(require)
    count = count + 1
    local name = "spec.module" .. count
    local said = { pcall(require, name) }
    return said[1], said[2], pcall(function() local x = require(name) return x end)
  end },
  { "no name", function(require) return pcall(require) end },
  { "nil", function(require) return pcall(function() local x = require(nil) return x end) end },
  { "a table", function(require) return pcall(require, {}) end },
  { "a number", function(require)
    package.preload["5.5"] = function(name) return name end
    local ok, value = pcall(require, 5.5)
    package.preload["5.5"], package.loaded["5.5"] = nil, nil
    return ok, value
  end },
  { "loaders that say all there is to say", function(require)
    local loaders = { unpack(package.loaders) }
    for i = #package.loaders, 1, -1 do package.loaders[i] = nil end
    package.loaders[1] = function() return "\n\tfirst" end
    package.loaders[2] = function() return nil end
    package.loaders[3] = function() return 3 end
    package.loaders[4] = function(name) if name:find "found" then return function(...) return "yes", ... end end end
    local results = { pcall(require, "spec.missing") }
    results[3], results[4] = pcall(require, "spec.found")
    package.loaders[4] = function() error("refused", 0) end
    results[5], results[6] = pcall(require, "spec.refused")
    package.loaders[5], package.loaders[4] = nil, nil
    for i, loader in ipairs(loaders) do package.loaders[i] = loader end
    package.loaded["spec.found"] = nil
    return unpack(results, 1, 6)
  end },
  { "without loaders", function(require)
    local loaders = package.loaders
    package.loaders = nil
    local ok, why = pcall(require, "spec.none")
    package.loaders = loaders
    return ok, why
  end },
  { "a file with a mistake", function(require)
    local path = program.file "x = = 1"
    local folder, name = path:match "^(.*)/([^/]+)%.lua$"
    local before = package.path
    package.path = folder .. "/?.lua"
    local ok, why = pcall(require, name)
    package.path = before
    os.remove(path)
    return ok, (why:gsub("lua_%w+", "NAME"))
  end },
}

describe("the require of a run", function()
  for _, scenario in ipairs(scenarios) do
    it_in("gives what the original gives: " .. scenario[1], function()
      local function results(require)
        local list = { n = 0 }
        local function take(...)
          list.n = select("#", ...)
          for i = 1, list.n do
            local value = select(i, ...)
            if type(value) == "string" then
              value = value:gsub("spec%.?/?module%d+", "NAME"):gsub("'%?'", "'require'")
            end
            list[i] = value
          end
        end
        take(scenario[2](require))
        return list
      end
      local original = results(modules.original.require)
      assert.same(original, results(modules.require))
    end)
  end

  it_in("and the original know what the other one is loading", function()
    for _, pair in ipairs { { modules.require, modules.original.require },
      { modules.original.require, modules.require } } do
      local name
      name = fresh(function() return pair[2](name) end)
      local ok, why = pcall(pair[1], name)
      assert.is_false(ok)
      assert.matches("loop or previous error loading module '" .. name .. "'", why, 1, true)
      ok, why = pcall(pair[2], name)
      assert.is_false(ok)
      assert.matches("loop or previous error", why)
    end
  end)

  it_in("lets a module wait, in a loader of its own and in modules that it requires", function(world)
    local inner = fresh(function() moonpool.sleep(5) return world:pool() end)
    local outer = fresh(function() return { pool = require(inner) } end)
    table.insert(package.loaders, 2, function(name)
      if name == "spec.searched" then
        moonpool.sleep(5)
        return function() return "found" end
      end
    end)
    assert.equal("found", require "spec.searched")
    table.remove(package.loaders, 2)
    package.loaded["spec.searched"] = nil
    assert.equal("local", assert(require(outer).pool:execute "SELECT key FROM system.local"):first().key)
    assert.equal(require(outer).pool, require(inner))
  end)

  it_in("loads once for all who ask meanwhile", function(world)
    local runs = 0
    local name = fresh(function()
      runs = runs + 1
      moonpool.sleep(20)
      return { number = runs }
    end)
    local futures = {}
    for i = 1, 5 do futures[i] = world:spawn(function() return require(name) end) end
    local value = require(name)
    for _, future in ipairs(futures) do assert.equal(value, (future:wait())) end
    assert.equal(1, runs)
  end)

  it_in("tells all who wait that it failed", function(world)
    local name = fresh(function() moonpool.sleep(20) error("boom", 0) end)
    local futures = {}
    for i = 1, 3 do futures[i] = world:spawn(function() return { pcall(require, name) } end) end
    assert.same({ false, "boom" }, (futures[1]:wait()))
    for i = 2, 3 do
      local said = futures[i]:wait()
      assert.is_false(said[1])
      assert.matches("loop or previous error loading module '" .. name .. "'", said[2], 1, true)
    end
  end)

  it_in("does not wait in a ring", function(world)
    local first, second
    first = fresh(function() moonpool.sleep(5) return require(second) end)
    second = fresh(function() moonpool.sleep(5) return require(first) end)
    local futures = { world:spawn(function() return { pcall(require, first) } end),
      world:spawn(function() return { pcall(require, second) } end) }
    for _, future in ipairs(futures) do
      local said = future:wait()
      assert.is_false(said[1])
      assert.matches("loop or previous error loading module 'spec.module%d+'", said[2])
    end
  end)

  it_in("says why it cannot wait for another coroutine in a comparator", function(world)
    local name = fresh(function() moonpool.sleep(20) return "late" end)
    local future = world:spawn(function() return require(name) end)
    moonpool.sleep(1)
    for _ = 1, 2 do
      local ok, why = pcall(table.sort, { 1, 2 }, function() return require(name) end)
      assert.is_false(ok)
      assert.matches("this call waits, and Lua cannot wait inside of", why, 1, true)
    end
    assert.equal("late", (future:wait()))
    assert.equal("late", require(name))
  end)

  it_in("keeps the place of an error for the traceback", function()
    local name = fresh(function()
      local function deep() moonpool.sleep(1) error "boom" end
      deep()
    end)
    local _, why = moonpool.spawn(function() return require(name) end):wait()
    assert.matches("modules_spec.lua:%d+: boom\nstack traceback", why)
    assert.matches("in function 'deep'", why, 1, true)
    local other = fresh(function() return require(name) end)
    _, why = moonpool.spawn(function() return require(other) end):wait()
    assert.matches("loop or previous error", why)
  end)

  it("is there while coroutines run, and the original afterwards", function()
    local original, file = require, dofile -- busted has its own environment, but these are the globals
    local world = require("moonpool.sim").world { nodes = 1 }
    world:run(function()
      assert.equal(modules.require, rawget(_G, "require"))
      assert.equal(modules.dofile, rawget(_G, "dofile"))
    end)
    assert.has_error(function() world:run(function() error "x" end) end)
    world:close()
    assert.equal(original, require)
    assert.equal(file, dofile)
  end)

  it("leaves the require of somebody else in its place", function()
    local original = _G.require
    local function mine(name) return original(name) end
    _G.require = mine
    moonpool.run(function() assert.equal(mine, _G.require) end)
    assert.equal(mine, _G.require)
    _G.require = original
    local later
    moonpool.run(function()
      local ours = _G.require
      later = function(name) return ours(name) end
      _G.require = later
    end)
    assert.equal(later, _G.require)
    assert.equal("x", later(fresh(function() return "x" end)))
    _G.require = original
  end)
end)

describe("the dofile of a run", function()
  it_in("lets a file wait, gives its results and the original's errors", function()
    local path = program.file "require('moonpool').sleep(1) return 1, nil, 3"
    assert.same({ 1, nil, 3 }, { dofile(path) })
    os.remove(path)
    local function said(which) return { pcall(which, path) } end
    assert.same(said(modules.original.dofile), said(dofile))
    path = program.file "x = = 1"
    assert.same(said(modules.original.dofile), said(dofile))
    os.remove(path)
  end)
end)

-- ---- programs ---------------------------------------------------------------------------------------------

local DB = [[
  local moonpool = require "moonpool"
  local function new()
    return moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1" }
  end
  package.preload.db = function() local pool = new() assert(pool:connect()) return pool end
]]

describe("an application", function()
  it("may connect in a module that it requires", function()
    local said, status = program.run(DB .. [[
      local db = require "db"
      print(db:execute "SELECT key FROM system.local":first().key)
      moonpool.spawn(function()
        moonpool.sleep(5)
        package.preload.late = function() moonpool.sleep(5) return "late" end
        print(require "late")
      end)
    ]], "--embedded 1")
    assert.equal("local\nlate\n", said)
    assert.equal(0, status)
  end)

  it("is told where it cannot wait, and goes on with its own answers", function()
    for _, what in ipairs { "execute", "future", "sleep" } do
      local said, status = program.run(DB .. ([[
        local pool = new()
        assert(pool:connect())
        print(pcall(table.sort, { 1, 2 }, function()
          return pool:execute "SELECT cluster_name FROM system.local":first() ~= nil
        end))
        local what, result = %q, nil
        if what == "execute" then result = pool:execute "SELECT key FROM system.local" end
        if what == "future" then result = pool:executeAsync "SELECT key FROM system.local":wait() end
        local from = moonpool.now()
        moonpool.sleep(200)
        print(moonpool.now() - from >= 100, result and result:first().key, result and result:first().cluster_name)
        pool:close()
      ]]):format(what), "--embedded 1")
      assert.matches("^false\t[^\n]*this call waits, and Lua cannot wait inside of [^\n]*\n", said)
      assert.matches(what == "sleep" and "\ntrue\tnil\tnil\n$" or "\ntrue\tlocal\tnil\n$", said)
      assert.equal(0, status)
    end
  end)

  it("that fails in a module tells the place", function()
    local said, status = program.run(DB .. [[
      package.preload.bad = function() local function deep() moonpool.sleep(1) error "boom" end deep() end
      require "bad"
    ]])
    assert.matches("boom\nstack traceback:\n", said)
    assert.matches("in function 'deep'", said, 1, true)
    assert.equal(1, status)
  end)
end)

describe("a LuaJIT that is not ours", function()
  it("may connect in a module inside of moonpool.run, and has its own require afterwards", function()
    local said, status = program.luajit(([[
      local before = require
      local moonpool = require "moonpool"
      local cluster = require("moonpool.sim").cluster { nodes = 1, port = %d }
      package.preload.db = function()
        local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = %d,
          localDataCenter = "datacenter1" }
        assert(pool:connect())
        return pool
      end
      print(pcall(require, "db"))
      package.loaded.db = nil
      print(moonpool.run(function()
        assert(require ~= before)
        return require "db":execute "SELECT key FROM system.local":first().key
      end))
      print(require == before, tostring(require "db"))
      moonpool.run(function() require "db":close() end)
      cluster:close()
    ]]):format(require("spec.support.ports").at(41), require("spec.support.ports").at(41)))
    assert.matches("^false\t[^\n]*this call waits, so it works only in a coroutine of moonpool[^\n]*\n", said)
    assert.matches("\nlocal\ntrue\tmoonpool pool %(open%)\n$", said)
    assert.equal(0, status)
  end)
end)

describe("moonpool serve", function()
  it("says that a handlers file cannot wait, and what to do", function()
    local handlers = program.file "local moonpool = require 'moonpool'\nmoonpool.sleep(1)\nreturn function() end"
    local config = program.file(("return { contactPoints = { '127.0.0.1' }, localDataCenter = 'datacenter1', " ..
      "handlers = %q }"):format(handlers))
    local said, status = program.sh(("'%s' serve '%s'"):format(program.moonpool, config))
    os.remove(handlers)
    os.remove(config)
    assert.matches(handlers .. ":2: this call waits, and a file cannot wait while it is loaded: begin with " ..
      "moonpool.spawn what waits", said, 1, true)
    assert.equal(1, status)
  end)
end)
