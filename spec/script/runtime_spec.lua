-- SPDX-License-Identifier: Apache-2.0
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local sim = require "moonpool.sim"

-- A world of virtual time without a cluster's work in it.
local function in_world(fn, seed)
  local world = sim.world { seed = seed or 1, nodes = 1 }
  local function give(...)
    world:close()
    return ...
  end
  return give(world:run(fn))
end

describe("a coroutine of moonpool", function()
  it("is started by run, which gives its arguments and its results", function()
    assert.same({ 3, nil, "x" }, { in_world(function()
      return 3, nil, "x"
    end) })
    assert.same({ 1, 2 }, { moonpool.run(function(...) return ... end, 1, 2) })
  end)

  it("sleeps in virtual time", function()
    local real = os.clock()
    local slept = in_world(function()
      local from = moonpool.now()
      moonpool.sleep(3600000)
      return moonpool.now() - from
    end)
    assert.equal(3600000, slept)
    assert.is_true(os.clock() - real < 5)
  end)

  it("that sleeps in one world does not wait for another one", function()
    local outer = sim.world { nodes = 1 }
    local hour = outer:run(function()
      local inner = sim.world { nodes = 1 }
      local from = moonpool.now()
      inner:run(function() moonpool.sleep(3600000) end)
      inner:close()
      return moonpool.now() - from
    end)
    outer:close()
    assert.equal(0, hour)
  end)

  it("gets its place in the order in which it was spawned", function()
    local order = in_world(function()
      local list = {}
      local futures = {}
      for i = 1, 5 do
        futures[i] = moonpool.spawn(function()
          list[#list + 1] = "begins " .. i
          moonpool.sleep(10 - i)
          list[#list + 1] = "ends " .. i
        end)
      end
      list[#list + 1] = "spawned"
      moonpool.all(futures)
      return list
    end)
    assert.same({ "spawned", "begins 1", "begins 2", "begins 3", "begins 4", "begins 5", "ends 5", "ends 4", "ends 3",
      "ends 2", "ends 1" }, order)
  end)

  it("may yield by hand, which lets the others run", function()
    local order = in_world(function()
      local list = {}
      local function worker(name)
        for i = 1, 3 do
          list[#list + 1] = name .. i
          coroutine.yield()
        end
      end
      moonpool.all { moonpool.spawn(worker, "a"), moonpool.spawn(worker, "b") }
      return table.concat(list, " ")
    end)
    assert.equal("a1 b1 a2 b2 a3 b3", order)
  end)

  it("waits through pcall, iterators and metamethods", function()
    local ok, sum = in_world(function()
      local proxy = setmetatable({}, { __index = function(_, key) moonpool.sleep(1) return key * 2 end })
      return pcall(function()
        local total = 0
        for i in function(_, last) moonpool.sleep(1) last = (last or 0) + 1 return last <= 3 and last or nil end do
          total = total + proxy[i]
        end
        return total
      end)
    end)
    assert.is_true(ok)
    assert.equal(12, sum)
  end)

  it("raises its error out of run, with its traceback", function()
    local ok, err = pcall(moonpool.run, function() local function inner() error "boom" end inner() end)
    assert.is_false(ok)
    assert.matches("runtime_spec.lua:%d+: boom", err)
    assert.matches("in function 'inner'", err, 1, true)
  end)

  it("raises an error that is a table as it is", function()
    local thrown = { code = 7 }
    local ok, err = pcall(moonpool.run, function() error(thrown) end)
    assert.is_false(ok)
    assert.equal(thrown, err)
  end)

  it("cannot run inside of another one", function()
    in_world(function()
      local ok, err = pcall(moonpool.run, function() end)
      assert.is_false(ok)
      assert.matches("spawn", err)
    end)
  end)

  it("that nothing can wake any more is an error, not a hang", function()
    local ok, err = pcall(moonpool.run, function() core.future():wait() end)
    assert.is_false(ok)
    assert.matches("could ever wake it", err)
  end)

  it("is reused: a hundred thousand of them leave nothing behind", function()
    in_world(function()
      local function nothing() end
      local function round()
        for _ = 1, 1000 do core.start(nothing) end
        moonpool.sleep(1)
      end
      for _ = 1, 5 do round() end
      collectgarbage()
      local before = collectgarbage "count"
      for _ = 1, 100 do round() end
      collectgarbage()
      assert.is_true(collectgarbage "count" - before < 50)
    end)
  end)
end)

describe("waiting elsewhere", function()
  it("is an error that says what to do", function()
    local ok, err = pcall(moonpool.sleep, 1)
    assert.is_false(ok)
    assert.matches("moonpool.run(function()", err, 1, true)
    in_world(function()
      local inner
      ok, inner = pcall(coroutine.wrap(function() moonpool.sleep(1) end))
      assert.is_false(ok)
      assert.matches("moonpool.spawn", inner, 1, true)
    end)
  end)

  it("goes wrong for the thief alone when a coroutine is resumed by hand", function()
    in_world(function()
      local victim
      local future = moonpool.spawn(function()
        victim = coroutine.running()
        moonpool.sleep(10)
        return "done"
      end)
      moonpool.sleep(1)
      coroutine.resume(victim)
      moonpool.sleep(20)
      assert.is_true(future:done())
    end)
  end)
end)

describe("a future", function()
  it("gives the results to all who wait, before and after", function()
    in_world(function()
      local future = moonpool.spawn(function() moonpool.sleep(5) return 1, nil, 3 end)
      local seen = {}
      local waiters = {}
      for i = 1, 3 do waiters[i] = moonpool.spawn(function() seen[i] = { future:wait() } return true end) end
      assert.is_false(future:done())
      assert(moonpool.all(waiters))
      assert.is_true(future:done())
      for i = 1, 3 do assert.same({ 1, nil, 3 }, seen[i]) end
      assert.same({ 1, nil, 3 }, { future:wait() })
    end)
  end)

  it("of a function that failed gives nil and the error with its traceback", function()
    in_world(function()
      local future = moonpool.spawn(function() error "boom" end)
      local value, err = future:wait()
      assert.is_nil(value)
      assert.matches("boom", err)
      assert.matches("traceback", err)
      local thrown = setmetatable({}, { __tostring = function() return "mine" end })
      value, err = moonpool.spawn(function() error(thrown) end):wait()
      assert.is_nil(value)
      assert.equal(thrown, err)
    end)
  end)

  it("carries many results", function()
    in_world(function()
      local many = {}
      for i = 1, 200 do many[i] = i end
      assert.equal(200, select("#", moonpool.spawn(function() return unpack(many) end):wait()))
    end)
  end)

  it("is what all takes: their first results, or nil and the first failure in the list", function()
    in_world(function()
      local function after(ms, ...) local results = { ... } return moonpool.spawn(function()
        moonpool.sleep(ms)
        return unpack(results, 1, 2)
      end) end
      assert.same({ "a", "b" }, moonpool.all { after(5, "a"), after(1, "b") })
      assert.same({}, moonpool.all {})
      local results, err = moonpool.all { after(5, nil, "first"), after(1, nil, "second"), after(9, true) }
      assert.is_nil(results)
      assert.equal("first", err)
      assert.has_error(function() moonpool.all { 1 } end)
      local waited = after(1, "x")
      for _, holes in ipairs { { waited, nil, waited }, { [2] = waited }, { waited, extra = waited } } do
        local ok, why = pcall(moonpool.all, holes)
        assert.is_false(ok)
        assert.matches("there is no future at %d of the list", why)
      end
      assert.has_error(function() moonpool.all(5) end)
      assert.has_error(function() moonpool.spawn(5) end)
    end)
  end)
end)

describe("a UUID", function()
  it("is random, or of this moment and always later than the one before", function()
    in_world(function()
      assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", moonpool.uuid())
      assert.is_false(moonpool.uuid() == moonpool.uuid())
      assert.equal("550e8400-e29b-41d4-a716-446655440000", moonpool.uuid "550E8400-E29B-41D4-A716-446655440000")
      assert.has_error(function() moonpool.uuid "nonsense" end)
      local seen = {}
      for _ = 1, 1000 do
        local uuid = moonpool.timeuuid()
        assert.matches("^%x+%-%x+%-1%x+%-[89ab]%x+%-%x+$", uuid)
        assert.is_nil(seen[uuid])
        seen[uuid] = true
      end
    end)
  end)

  it("of this moment is from no network card, whose first octet would be even", function()
    for seed = 1, 8 do
      local node = in_world(moonpool.timeuuid, seed):match "%x+$"
      assert.equal(1, tonumber(node:sub(1, 2), 16) % 2)
    end
  end)

  it("of one seed is the same again", function()
    assert.equal(in_world(moonpool.uuid), in_world(moonpool.uuid))
  end)
end)
