-- SPDX-License-Identifier: Apache-2.0
-- X2: a call that waits asks whether Lua can wait where it was made before it does anything. Every such call in every
-- place below a function of C works or is an error that says why and what to do; nothing was sent, and later waits are
-- their own. A module may wait while it is required.
local ffi = require "ffi"
local modules = require "moonpool.modules"
local moonpool = require "moonpool"
local program = require "spec.support.program"
local it_in = require("spec.support.world").inside(it)

ffi.cdef "void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));"

-- ---- the calls --------------------------------------------------------------------------------------------

-- Each gives what right(...) accepts, when it may wait.
local calls = {
  { "execute", function(pool) return pool:execute "SELECT cluster_name FROM system.local" end,
    function(result) return result:first().cluster_name == "moonpool" end },
  { "execute, prepared first", function(pool) return pool:execute("SELECT name FROM users WHERE id = ?", { 1 }) end,
    function(result) return result.rows[1] == nil end },
  { "prepare", function(pool) return pool:prepare "SELECT age FROM users WHERE id = ?" end,
    function(statement) return statement.cql ~= nil end },
  { "rows", function(pool) return (pool:rows "SELECT key FROM system.local")().key end,
    function(key) return key == "local" end },
  { "a future", function(pool) return pool:executeAsync("SELECT key FROM system.local"):wait() end,
    function(result) return result:first().key == "local" end },
  { "all", function() return moonpool.all { moonpool.spawn(function() return 7 end) } end,
    function(results) return results[1] == 7 end },
  { "sleep", function() moonpool.sleep(3) return true end, function(slept) return slept end },
  { "connect", function(_, other) return other:connect() end, function(connected) return connected == true end },
  { "close", function(_, other) return other:close() end, function(closed) return closed == true end },
}

-- ---- the places -------------------------------------------------------------------------------------------

-- Each runs fn there, and gives back what pcall(fn) gave; `works`: Lua can wait there.
local function kept(run)
  return function(fn)
    local results
    run(function() results = results or { pcall(fn) } end)
    return unpack(results)
  end
end

local places = {
  { "pcall", kept(function(fn) pcall(fn) end), works = true },
  { "xpcall", kept(function(fn) xpcall(fn, print) end), works = true },
  { "an iterator", kept(function(fn) for _ in fn do return end end), works = true }, -- luacheck: ignore
  { "table.foreach", kept(function(fn) table.foreach({ 1 }, fn) end), works = true },
  { "__index", kept(function(fn) return setmetatable({}, { __index = fn }).x end), works = true },
  { "__newindex", kept(function(fn) setmetatable({}, { __newindex = fn }).x = 1 end), works = true },
  { "__call", kept(function(fn) setmetatable({}, { __call = fn })() end), works = true },
  { "__concat", kept(function(fn) return setmetatable({}, { __concat = fn }) .. "x" end), works = true },
  { "__lt", kept(function(fn)
    local m = { __lt = fn }
    return setmetatable({}, m) < setmetatable({}, m)
  end), works = true },
  { "a require", kept(function(fn)
    package.preload["spec.waits"] = function() fn() end
    local ok, why = pcall(require, "spec.waits")
    package.preload["spec.waits"], package.loaded["spec.waits"] = nil, nil
    if not ok then error(why, 0) end
  end), works = true },
  { "a dofile", kept(function(fn)
    local path = program.file "spec_waits()"
    _G.spec_waits = fn
    local ok, why = pcall(dofile, path)
    _G.spec_waits = nil
    os.remove(path)
    if not ok then error(why, 0) end
  end), works = true },
  { "table.sort", kept(function(fn) table.sort({ 1, 2 }, function() fn() return false end) end), named = "sort" },
  { "__lt in table.sort", kept(function(fn)
    local m = { __lt = function() fn() return false end }
    table.sort { setmetatable({}, m), setmetatable({}, m) }
  end), named = "sort" },
  { "string.gsub", kept(function(fn) string.gsub("x", "x", function() fn() end) end), named = "gsub" },
  { "__index in gsub", kept(function(fn)
    string.gsub("x", "x", setmetatable({}, { __index = function() fn() end }))
  end), named = "gsub" },
  { "__tostring in print", kept(function(fn)
    local silent = setmetatable({}, { __tostring = function() fn() return "" end })
    string.format("%s", silent)
  end) },
  { "__tostring in tostring", kept(function(fn)
    return tostring(setmetatable({}, { __tostring = function() fn() return "" end }))
  end), works = "maybe" },
  { "load", kept(function(fn) load(function() fn() end) end), named = "load" },
  { "the original require", kept(function(fn)
    package.preload["spec.waits"] = function() fn() end
    pcall(modules.original.require, "spec.waits")
    package.preload["spec.waits"], package.loaded["spec.waits"] = nil, nil
  end) },
  { "an error handler", kept(function(fn) xpcall(error, function() fn() end) end) },
  { "an error handler of a fault", kept(function(fn)
    xpcall(function() return ffi.C.none end, function() fn() end)
  end) },
  { "a finalizer", kept(function(fn)
    getmetatable(newproxy(true)).__gc = function() fn() end
    collectgarbage()
    collectgarbage()
  end) },
  { "a finalizer of cdata", kept(function(fn)
    ffi.gc(ffi.new "int[1]", function() fn() end)
    collectgarbage()
    collectgarbage()
  end) },
  { "a hook", kept(function(fn)
    debug.sethook(function() debug.sethook() fn() end, "", 1)
    for _ = 1, 100 do assert(fn) end
    debug.sethook()
  end) },
  { "a callback from C", kept(function(fn)
    local callback = ffi.cast("int (*)(const void *, const void *)", function() fn() return 0 end)
    jit.off(true, true)
    ffi.C.qsort(ffi.new "int[2]", 2, 4, callback)
    callback:free()
  end) },
  { "a coroutine of its own", kept(function(fn) coroutine.wrap(fn)() end), named = "did not start" },
  { "a coroutine in gsub", kept(function(fn)
    string.gsub("x", "x", function() coroutine.wrap(fn)() end)
  end), named = "did not start" },
}

describe("a call that waits", function()
  for _, place in ipairs(places) do
    it_in("in " .. place[1] .. " works, or says why not and did nothing", { rf = 1, nodes = 1 }, function(world)
      world:schema "CREATE TABLE ks.users (id int PRIMARY KEY, name text, age int)"
      local pool = world:pool()
      for _, call in ipairs(calls) do
        local name = call[1] .. " in " .. place[1]
        local other = world:newPool()
        local before = world.cluster:requests()
        local ok, value, err = place[2](function() return call[2](pool, other) end)
        if place.works == true then
          assert(ok and value ~= nil, name .. ": " .. tostring(ok and err or value))
          assert(call[3](value), name)
        elseif not ok then
          assert.matches("this call waits", value, 1, true)
          assert.matches("^spec/script/waiting_spec.lua:%d+: ", value)
          assert.matches("moonpool.spawn", value, 1, true)
          if place.named then assert.matches(place.named, value, 1, true) end
          assert.equal(before, world.cluster:requests(), name)
          assert.equal("moonpool pool (new)", tostring(other))
        else
          assert(place.works, name .. " gave " .. tostring(value) .. ", " .. tostring(err))
        end
        local from = moonpool.now()
        moonpool.sleep(500)
        assert.is_true(math.abs(moonpool.now() - from - 500) < 0.001, name)
        assert.equal("local", assert(pool:execute "SELECT key FROM system.local"):first().key, name)
        assert.is_true(assert(moonpool.all { moonpool.spawn(function() return true end) })[1])
        other:close()
      end
    end)
  end

  it_in("names the function of C, and where it was called", function()
    local ok, why = pcall(function()
      table.sort({ 1, 2 }, function() moonpool.sleep(1) end)
    end)
    assert.is_false(ok)
    assert.matches("^spec/script/waiting_spec.lua:%d+: this call waits, and Lua cannot wait inside of 'sort' " ..
      "%(called at spec/script/waiting_spec.lua:%d+%): wait before or after it, or begin there with moonpool.spawn " ..
      "what waits$", why)
  end)
end)
