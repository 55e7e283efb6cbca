-- SPDX-License-Identifier: Apache-2.0
-- A future whose values find no memory: any block that Lua takes while the answer of a request, or the results of a
-- coroutine, are on their way to it is refused. It ends all the same, once: with them or with nil and an error.
local ffi = require "ffi"
local C = require "spec.support.c"
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local it = require("spec.support.world").inside(it)

local execute_async = core.poolMethods.executeAsync -- without the oracles, whose own coroutine would be refused, too

ffi.cdef "void spec_lua_fail_at(uint64_t nth);"

local TRIED = 60 -- blocks

describe("a future without memory", function()
  after_each(function()
    C.spec_lua_fail_at(0)
    jit.on()
  end)

  -- Waits for the futures that begin() makes, while one block after the other is refused: how many ended by an error.
  local function starve(begin, good)
    local failed = 0
    for nth = 1, TRIED do
      local future = begin()
      collectgarbage()
      jit.off() -- LuaJIT's compiler loses blocks of its own when it is refused one
      C.spec_lua_fail_at(nth)
      pcall(moonpool.sleep, 20)
      C.spec_lua_fail_at(0)
      jit.on()
      local deadline = moonpool.now() + 5000
      while not future:done() do
        assert(moonpool.now() < deadline, "never ended: block " .. nth)
        moonpool.sleep(10)
      end
      local value, err = future:wait()
      if value == nil then
        failed = failed + 1
        assert.matches("memory", tostring(err))
      else
        assert.is_true(good(future, value), nth)
      end
    end
    return failed
  end

  it("of a request ends", {}, function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, a text, b list<int>)"
    local pool = world:pool()
    assert(pool:execute("INSERT INTO ks.t (k, a, b) VALUES (1, ?, [1, 2, 3])", { ("x"):rep(3000) }))
    local statement = assert(pool:prepare "SELECT k, a, b FROM ks.t WHERE k = ?")
    local function has_row(_, result) return #result:first().a == 3000 end
    assert.is_true(starve(function() return execute_async(pool, statement, { 1 }) end, has_row) > 0)
    local cql = "SELECT k, a, b FROM ks.t WHERE k = 1"
    assert.is_true(starve(function() return execute_async(pool, cql) end, has_row) > 0)
    local function was_refused(_, result) return result == nil end
    assert.equal(TRIED, starve(function() return execute_async(pool, "SELECT memory FROM ks.t") end, was_refused))
    starve(function() return pool:batchAsync { { "DELETE FROM ks.t WHERE k = ?", { 9 } } } end,
      function(_, result) return result ~= nil end)
  end)

  it("of a coroutine ends", {}, function()
    local many = {}
    for i = 1, 3000 do many[i] = i end
    local function wide()
      moonpool.sleep(1)
      return unpack(many)
    end
    local function all(future) return select("#", future:wait()) == 3000 end
    assert.is_true(starve(function() return moonpool.spawn(wide) end, all) > 0)
    assert.is_true(starve(function() return core.spawnLimited(1000, wide) end, all) > 0)
    assert.equal(TRIED, starve(function() return moonpool.spawn(function()
      moonpool.sleep(1)
      error "no memory of it"
    end) end, all))
  end)
end)
