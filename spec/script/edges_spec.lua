-- SPDX-License-Identifier: Apache-2.0
-- The bounds of arguments: the last value on each side is taken, the next one is refused, and the message says what
-- is expected.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

-- `call(value)` raises what `says` for each of `bad`, and nothing for each of `good`.
local function holds(call, good, bad, says)
  for _, value in ipairs(good) do
    local ok, why = pcall(call, value)
    assert.is_true(ok, tostring(value) .. ": " .. tostring(why))
  end
  for _, value in ipairs(bad) do
    local ok, why = pcall(call, value)
    assert.is_false(ok, tostring(value))
    assert.matches(says, tostring(why), 1, true)
  end
end

local NAN = 0 / 0

describe("the bounds of an argument", function()
  it("of core hold", function()
    moonpool.run(function()
      holds(core.sleep, { 0, 0.5, 1 }, { -1, -0.001, 1.001e12, math.huge, NAN }, "milliseconds from 0 to 1e12 expected")
      holds(function(level) core.log(level, "") end, {}, { "off", "warning", "", "WARN" }, "not a log level")
      holds(function(ms) assert(core.spawnLimited(ms, function() end)) end, { 1, 60000 }, { 0, -1, 60001 },
        "1 to 60000 ms")
      local path = os.tmpname()
      os.remove(path)
      holds(function(ms) core.closeControl(assert(core.listenControl(path, print, ms))) end, { 1, 60000 },
        { 0, -1, 60001 }, "1 to 60000 ms")
      local function arguments(count)
        local list = {}
        for i = 1, count do list[i] = i == 1 and "/bin/true" or "x" end
        return list
      end
      holds(function(count) assert(core.command(arguments(count), 60000)) end, { 1, 64 }, { 0, 65 },
        "1 to 64 arguments, the program first")
      holds(function(ms) assert(core.command(arguments(1), ms)) end, { 3600000 }, { 0, 0.5, -1, 3600001, NAN },
        "1 ms to an hour")
    end)
  end)

  it_in("of a pool's functions hold", function(world)
    local pool = world:pool { decisionLog = { sample = 1 } }
    local host = world:host(1)
    holds(function(weight) assert(pool:setHostWeight(host, weight)) end, { 0, 0.5, 1e6 }, { -0.001, 1000001, NAN },
      "a weight is a number from 0 to 1000000")
    local function tags(count)
      local list = {}
      for i = 1, count do list[i] = "t" .. i end
      return list
    end
    holds(function(count) assert(pool:setHostTags(host, tags(count))) end, { 0, 1, 32 }, { 33, 100 },
      "at most 32 tags")
    holds(function(list) assert(pool:setHostTags(host, list)) end, { { "t1" } }, { { "" }, { "a\0b" }, { 5 }, { {} } },
      "a tag is a text")
    holds(function(list) assert(pool:setHostTags(host, list)) end, {}, { { a = "t1" }, { "t1", x = "t2" } },
      "a list of tags expected")
    holds(function(count) assert(core.getRing(pool, "system", count)) end, { 1, 1024 }, { 0, -1, 1025 },
      "1 to 1024 slices expected")
    holds(function(count) assert(core.decisions(pool, count)) end, { 0, 1, 4294967295 }, { -1, 4294967296, NAN },
      "a number of decisions expected")
    holds(function(token) assert(pool:explain { token = token }) end, { "9223372036854775807", "-9223372036854775808" },
      { "9223372036854775808", "1x", "1.5" }, "explain: token: the digits of a number of 64 bits expected")
    assert.matches("explain: a routingKey or a token expected, not both",
      select(2, pcall(pool.explain, pool, { token = "1", routingKey = "k" })), 1, true)
    holds(function(at) assert(core.joinNode(pool, "node4", { at }, 0)) end, {}, { "nowhere", "127.0.0.1:70000", "" },
      "an address expected")
  end)

  it_in("of a request's options hold", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY)"
    local pool = world:pool()
    local function with(name)
      return function(value)
        assert(pool:execute("INSERT INTO ks.t (k) VALUES (1)", nil, { [name] = value, prepare = false }))
      end
    end
    holds(with "timestamp", { 1, 0, "1", 9007199254740992, 5LL }, { 1.5, "x", "", "9223372036854775808", 1e19, {} },
      "option 'timestamp': microseconds since 1970 expected: ")
    holds(with "host", { world:host(1), "127.0.0.1" }, { "127.0.0.1\0", "\0" },
      "option 'host': an address like \"127.0.0.1:9042\" expected")
    for _, options in ipairs { { 5 }, { [true] = 1 }, { [{}] = 1 } } do
      local ok, why = pcall(pool.execute, pool, "SELECT k FROM ks.t", nil, options)
      assert.is_false(ok)
      assert.matches(("options: names expected as keys, got a %s"):format(type((next(options)))), why, 1, true)
    end
    for _, payload in ipairs { { a = 5 }, { [1] = "x" }, { a = {} } } do
      local ok, why = pcall(pool.execute, pool, "SELECT k FROM ks.t", nil, { payload = payload })
      local key, value = next(payload)
      assert.is_false(ok)
      assert.matches(("option 'payload': strings by name expected, got a %s under a %s"):format(type(value), type(key)),
        why, 1, true)
    end
  end)

  it_in("tell a method from a function", function(world)
    local pool = world:pool()
    for _, self in ipairs { {}, "pool", 5 } do
      local ok, why = pcall(pool.getStats, self)
      assert.is_false(ok)
      local says = ("a pool expected, got %s: call pool:method(), not pool.method()"):format(type(self))
      assert.matches(says, why, 1, true)
    end
  end)
end)
