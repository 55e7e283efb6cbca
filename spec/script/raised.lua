-- SPDX-License-Identifier: Apache-2.0
-- Lua raises inside of a C function for want of memory, at any block that it takes there: what the function had from C
-- by then (buffers, policies, descriptors) is given back. Each function of the core that pushes what C made is called
-- once for each of its blocks.
local ffi = require "ffi"
local C = require "spec.support.c"
local core = require "moonpool.core_loader"
local config = require "moonpool.config"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local sim = require "moonpool.sim"
local it = require("spec.support.world").inside(it)

ffi.cdef "double spec_lua_fail_left(void);"
pcall(ffi.cdef, "void spec_lua_fail_at(uint64_t nth);")
local fail_at, fail_left = C.spec_lua_fail_at, C.spec_lua_fail_left

local Pool = core.poolMethods -- without the oracles
local MOST = 400 -- blocks of one call

local function descriptors()
  local count = 0
  for _ in pairs(core.listFolder "/proc/self/fd") do count = count + 1 end
  return count
end

local function blocks()
  collectgarbage()
  collectgarbage()
  local stats = C.mp_mem_stats()
  return tonumber(stats.allocs - stats.frees)
end

-- call() while Lua is refused its nth block from now on (0: none): was it refused, what pcall() gave.
local function once(nth, call)
  jit.off() -- LuaJIT's compiler loses blocks of its own when it is refused one
  fail_at(nth)
  local ok, result, err = pcall(call)
  local left = fail_left()
  fail_at(0)
  jit.on()
  return nth > 0 and left == 0, ok, result, err
end

-- How often call() was refused a block. `clean(result)` undoes what it has done.
local function starve(name, call, clean)
  local function try(nth)
    local refused, ok, result = once(nth, call)
    if clean and ok and result then clean(result) end
    return refused
  end
  for _ = 1, 3 do try(0) end -- what is made once is there
  for nth = 1, MOST do
    local before, open = blocks(), descriptors()
    local refused = try(nth)
    assert.equal(before, blocks(), ("%s: blocks, when Lua is refused its block %d"):format(name, nth))
    assert.equal(open, descriptors(), ("%s: descriptors, when Lua is refused its block %d"):format(name, nth))
    if not refused then return nth - 1 end
  end
  return MOST
end

describe("nothing is left of", function()
  local folder
  setup(function()
    folder = policies.folder()
    policies.write(folder .. "/mine.lua", "return balance { name = 'Mine', plan = function(plan) " ..
      "plan:hosts(localDc, inTurn) end }")
  end)
  teardown(function() policies.remove(folder) end)
  after_each(function()
    fail_at(0)
    jit.on()
  end)

  it("what needs no pool", {}, function()
    local path, key = folder .. "/mine.lua", core.newSigningKey()
    for name, call in pairs {
      readFile = function() return core.readFile(path) end,
      ["readFile of none"] = function() return core.readFile(folder .. "/none") end,
      listFolder = function() return core.listFolder(folder) end,
      checkPolicy = function() return core.checkPolicy("balance", path) end,
      ["checkPolicy of none"] = function() return core.checkPolicy("balance", folder .. "/none.lua") end,
      newSigningKey = core.newSigningKey,
      signText = function() return core.signText(key, "text") end,
      encode = function() return moonpool.encode("map<text, int>", { a = 1, b = 2 }) end,
      ["encode of a wrong value"] = function() return moonpool.encode("int", "x") end,
      ["encode of a wrong type"] = function() return moonpool.encode("map<text", "x") end,
      decode = function() return moonpool.decode("list<text>", "\0\0\0\1\0\0\0\1a") end,
      ["decode of wrong bytes"] = function() return moonpool.decode("int", "x") end,
      codeWords = function() return core.codeWords "return 1 -- one" end,
      covered = core.covered,
      eventNames = core.eventNames,
    } do
      assert.is_true(starve(name, call) > 0, name)
    end
  end)

  it("what tells of a pool", { nodes = 3, seed = 4 }, function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
    local pool = world:pool { decisionLog = { sample = 1 } }
    for k = 1, 3 do assert(pool:execute("INSERT INTO ks.t (k, v) VALUES (?, ?)", { k, "v" })) end
    local one = core.getHosts(pool)[1].address
    for name, call in pairs {
      openMetrics = function() return core.openMetrics({ pool }, { 1 }) end,
      getHosts = function() return core.getHosts(pool) end,
      getStats = function() return core.getStats(pool) end,
      getMetrics = function() return core.getMetrics(pool, true) end,
      getAnalysis = function() return core.getAnalysis(pool) end,
      getConnectionDetails = function() return core.getConnectionDetails(pool) end,
      getRing = function() return core.getRing(pool) end,
      policies = function() return core.policies(pool) end,
      decisions = function() return core.decisions(pool, 10) end,
      explain = function() return core.explain(pool, { keyspace = "ks", key = "k" }) end,
      preparedTexts = function() return core.preparedTexts(pool) end,
      canary = function() return core.canary(pool) end,
      hostState = function() return core.hostState(pool, one) end,
      identity = function() return core.identity(pool) end,
      checkRequest = function() return core.checkRequest(pool, 5, nil, nil, "execute") end,
    } do
      assert.is_true(starve(name, call) > 0, name)
    end
    local checked = assert(config.check(world:configuration { decisionLog = { sample = 0.5 } }))
    assert.is_true(starve("applyConfig", function() return core.applyConfig(pool, checked, {}) end) > 0)
  end)

  it("what a runtime consists of", {}, function()
    assert.is_true(starve("rehearse", function()
      return core.rehearse("balance", folder .. "/mine.lua")
    end) > 0)
    assert.is_true(starve("world", function() return sim.world { nodes = 1, seed = 3 } end) > 0)
    assert.is_true(starve("listenControl", function()
      return core.listenControl(folder .. "/socket", function() end)
    end, core.closeControl) > 0)
  end)

  -- What a request leaves in a pool the next one may use: the leak checker sees what nobody could.
  it("a request, whose pool goes on", { nodes = 1 }, function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
    local pool = world:pool()
    assert(pool:execute("INSERT INTO ks.t (k, v) VALUES (?, ?)", { 1, "v" }))
    local by_key, plain = "SELECT * FROM ks.t WHERE k = ?", { prepare = false }
    for name, call in pairs {
      execute = function() return Pool.execute(pool, by_key, { 1 }) end,
      ["execute with options"] = function() return Pool.execute(pool, by_key, { 1 }, { timeout = 500 }) end,
      ["execute of a text"] = function() return Pool.execute(pool, "SELECT * FROM ks.t WHERE k = 1", nil, plain) end,
      run = function() return Pool.run(pool, by_key, 1) end,
      prepare = function() return Pool.prepare(pool, by_key) end,
      batch = function() return Pool.batch(pool, { { "DELETE FROM ks.t WHERE k = ?", { 9 } } }) end,
    } do
      local nth, refused = 0, true
      while refused do
        nth = nth + 1
        refused = once(nth, call)
        local _, ok, result, err = once(0, call)
        assert.is_truthy(ok and result, ("%s behind block %d: %s"):format(name, nth, tostring(err or result)))
      end
      assert.is_true(nth > 1, name)
    end
  end)

  it("a pool that is not made", {}, function(world)
    local checked = assert(config.check(world:configuration { profiles = { slow = { timeout = 9000 } },
      addressTranslator = function(address) return address end }))
    local function close(pool)
      core.discard(pool)
      pool = nil -- luacheck: ignore
      for _ = 1, 5 do
        moonpool.sleep(10)
        collectgarbage()
      end
    end
    assert.is_true(starve("judgePool", function() return core.judgePool(checked) end) > 0)
    assert.is_true(starve("newPool", function() return core.newPool(checked) end, close) > 0)
  end)
end)
