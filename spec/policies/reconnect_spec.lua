-- SPDX-License-Identifier: Apache-2.0
-- Reconnect policies: what the built-in ones say, what is taken of what others say, and that pools do it.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local refuses = require "spec.support.refuses"
local pool_world = require "spec.support.pool_world"
local world = require "spec.support.world"

local folder

local function write(name, text)
  policies.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

local function policy(body)
  return write("mine.lua", "return reconnect { name = 'Mine', delay = function(try, options)\n" .. body .. " end }")
end

local function files()
  before_each(function() folder = policies.folder() end)
  after_each(function()
    policies.close_all()
    policies.remove(folder)
  end)
end

describe("ExponentialReconnectionPolicy", function()
  files()

  it("doubles the time up to the greatest, by chance", function()
    local p = policies.new { reconnect = "ExponentialReconnectionPolicy",
      reconnectOptions = "{ baseDelay = 100, maxDelay = 5000 }" }
    for attempt, most in pairs { [1] = 100, [2] = 200, [4] = 800, [6] = 3200, [7] = 5000, [4294967295] = 5000 } do
      local least, greatest = math.huge, 0
      for _ = 1, 500 do
        local ms = p:delay { attempt = attempt }
        least, greatest = math.min(least, ms), math.max(greatest, ms)
      end
      assert.is_true(least >= 50 and greatest <= most, attempt .. ": " .. least .. " to " .. greatest)
      assert.is_true(greatest > most * 0.9 and least < 50 + (most - 50) * 0.1, attempt .. " is not spread")
    end
  end)

  it("draws other times in another process", function()
    local function draws(seed)
      local p = policies.new { reconnect = "ExponentialReconnectionPolicy", seed = seed }
      local list = {}
      for i = 1, 5 do list[i] = p:delay { attempt = 10 } end
      return table.concat(list, " ")
    end
    assert.not_equal(draws(1), draws(2))
    assert.equal(draws(3), draws(3))
  end)

  refuses(it, "reconnect", "ExponentialReconnectionPolicy", {
    ["{ baseDelay = 0 }"] = "reconnection.baseDelay: got 0; must be 1 ms or more",
    ["{ maxDelay = 10 }"] = "reconnection.maxDelay: got 10; must be at least baseDelay, 1000",
    ["{ maxDelay = 1e9 }"] = "reconnection.maxDelay: got 1000000000; at most a day, 86400000",
    ["{ baseDelay = 'x' }"] = 'reconnection.baseDelay: got "x" (string); ExponentialReconnectionPolicy takes a number',
    ["{ base = 1 }"] = "reconnection.base: ExponentialReconnectionPolicy",
  })
end)

describe("ConstantReconnectionPolicy", function()
  files()

  it("always waits the same", function()
    local p = policies.new { reconnect = "ConstantReconnectionPolicy", reconnectOptions = "{ delay = 700 }" }
    for _, attempt in ipairs { 1, 2, 50 } do assert.equal(700, p:delay { attempt = attempt }) end
    local q, why = policies.try { reconnect = "ConstantReconnectionPolicy", reconnectOptions = "{ delay = -1 }" }
    assert.is_nil(q)
    assert.matches("reconnection.delay: got -1; must be 0 to 86400000 ms", why, 1, true)
  end)
end)

describe("a reconnect policy", function()
  files()

  it("of the manual loads and works", function()
    local manual = assert(io.open(MOONPOOL_ROOT .. "/docs/policies.md"))
    local text = assert(manual:read("*a"):match "```lua\n(return reconnect {.-)```")
    manual:close()
    local path = folder .. "/manual.lua"
    policies.write(path, text)
    local p = policies.new { reconnect = path }
    assert.equal(30000, p:delay { isLocal = false })
    assert.is_true(p:info(C.MP_POLICY_RECONNECT).ns_per_call > 0)
  end)

  it("that is not there costs nothing: the pool's own backoff answers", function()
    local p = policies.new {}
    assert.is_nil(p:delay())
    assert.is_nil(p:info(C.MP_POLICY_RECONNECT))
    assert.equal(nil, C.mp_policies_get(p.handle).reconnect.delay)
  end)

  it("sees attempt, reason and distance", function()
    local p = policies.new { reconnect = policy [[
      if try.why == AUTH_FAILED then return 3000 end
      if not try.isLocal then return 2000 + try.attempt end
      return try.attempt]] }
    assert.equal(5, p:delay { attempt = 5 })
    assert.equal(2005, p:delay { attempt = 5, isLocal = false })
    assert.equal(3000, p:delay { attempt = 5, why = C.MP_RECONNECT_AUTH_FAILED })
    assert.equal("Mine", ffi.string(p:info(C.MP_POLICY_RECONNECT).name))
    assert.equal(3, tonumber(p:info(C.MP_POLICY_RECONNECT).calls))
  end)

  it("draws between two numbers", function()
    local p = policies.new { reconnect = policy "return random(100, 200)" }
    for _ = 1, 200 do
      local ms = p:delay()
      assert.is_true(ms >= 100 and ms < 200, tostring(ms))
    end
    for _, call in ipairs { "random(5)", "random('a', 'b')", "random(1, {})" } do
      local q, why = policies.try { reconnect = policy("local ms = " .. call .. " return ms") }
      assert.is_nil(q)
      assert.matches("mine.lua:2: random takes no numbers or two", why, 1, true)
    end
    assert.is_nil((policies.try { reconnect = policy "return random(0, 0/0)" }))
  end)

  it("may have a child", function()
    local path = write("half.lua", [[return reconnect {
      name = "Half", options = { childPolicy = "ConstantReconnectionPolicy" },
      delay = function(try, options, child) return child(try) / 2 end }]])
    local p = policies.new { reconnect = path, reconnectOptions = "{ delay = 300 }" }
    assert.equal(150, p:delay())
    assert.equal("ConstantReconnectionPolicy", ffi.string(p:info(C.MP_POLICY_RECONNECT).child))
  end)

  for _, value in ipairs { "0/0", "-1", "-math.huge", "math.huge", "2^53", "86400001", "'soon'", "nil", "{}", "true",
    "try" } do
    it("that returns " .. value .. " is answered for by the pool, and counted", function()
      local p = policies.new { reconnect = policy("if try.attempt == 7 then return " .. value .. " end return 1") }
      assert.is_nil(p:delay { attempt = 7 })
      assert.equal(1, p:delay { attempt = 8 })
      local info = p:info(C.MP_POLICY_RECONNECT)
      assert.equal(1, tonumber(info.errors))
      assert.matches("delay must return milliseconds, 0 to 86400000; got", ffi.string(info.last_error), 1, true)
    end)
  end

  it("is tried out before it serves", function()
    for body, message in pairs {
      ["return 'x'"] = "mine.lua:1: delay must return milliseconds",
      ["if try.why == WRONG_NODE then error 'no' end return 1"] = "mine.lua:2: no",
      ["if try.attempt > 50 then return -1 end return 1"] = "mine.lua:1: delay must return milliseconds",
      ["while true do end"] = "mine.lua:2: out of fuel",
      ["return try.attmpt"] = "mine.lua:2: a try has no field 'attmpt'",
      ["try.attempt = 5 return 1"] = "mine.lua:2: attempt to write to constant location",
    } do
      local p, why = policies.try { reconnect = policy(body) }
      assert.is_nil(p)
      assert.matches(message, why, 1, true)
    end
  end)

  it("reloads, and an older generation comes back when the new one keeps failing", function()
    local p = policies.new { reconnect = policy "return 10", watch = true }
    policy "if try.attempt == 7 then error 'seven' end return 20"
    assert(p:turn(function() return #p.events == 1 end))
    assert.equal(20, p:delay())
    for _ = 1, 100 do assert.is_nil(p:delay { attempt = 7 }) end
    assert.equal(10, p:delay())
    assert.equal(1, p:info(C.MP_POLICY_RECONNECT).generation)
  end)
end)

describe("a pool that is told when to try again", function()
  local pool
  after_each(function()
    if pool then pool:close() end
    pool = nil
  end)

  -- Times at which it knocked, in the first `ms`; `wish(failures, why)` is the owner's answer.
  local function knocks(ms, wish, options)
    options = options or { peer = false, limits = { core = 1, reconnect_base_ms = 100, reconnect_max_ms = 100 } }
    options.closed = true
    pool = pool_world.open(options)
    pool.events.retry_delay = pool.loop:callback(
      "bool (*)(void *, uint32_t, enum mp_close_reason, uint64_t *)", function(_, failures, why, delay)
        local given = wish(failures, tonumber(why))
        if given then delay[0] = given end
        return given ~= nil
      end)
    C.mp_pool_open(pool.pool)
    pool:pass(ms)
    return pool.asked
  end

  local function gaps(times)
    local list = {}
    for i = 2, #times do list[i - 1] = times[i] - times[i - 1] end
    return list
  end

  it("does so", function()
    local list = gaps(knocks(10000, function(failures) return failures * 1000 end))
    for i = 1, 3 do assert.is_true(math.abs(list[i] - i * 1000) <= 5, i .. ": " .. list[i]) end
  end)

  it("keeps the least time", function()
    local list = gaps(knocks(2000, function() return 0 end))
    assert.is_true(#list >= 20)
    for _, gap in ipairs(list) do assert.is_true(gap >= C.MP_POOL_RETRY_LEAST_MS, tostring(gap)) end
  end)

  it("keeps the long pause after refused credentials, and may make it longer", function()
    local function options()
      return { settings = { auth = { username = "ana", password = "guess" } },
        peer = { auth = { username = "ana", password = "right" } }, limits = { core = 1 } }
    end
    local reasons = {}
    local list = gaps(knocks(60000, function(_, why)
      reasons[why] = true
      return 0
    end, options()))
    assert.is_true(#list >= 3 and reasons[tonumber(C.MP_CLOSE_AUTH)])
    for _, gap in ipairs(list) do assert.is_true(gap >= 10000, tostring(gap)) end
    pool:close()
    list = gaps(knocks(90000, function() return 30000 end, options()))
    for _, gap in ipairs(list) do assert.is_true(gap >= 30000, tostring(gap)) end
  end)

  it("has its own backoff when nobody answers", function()
    local list = gaps(knocks(2000, function() return nil end))
    for _, gap in ipairs(list) do assert.is_true(gap >= 50 and gap <= 105, tostring(gap)) end
  end)
end)

describe("a reconnect policy of a pool", function()
  local it_in = world.inside(it)
  files()

  -- How often node 2 is knocked at in ten seconds while it is away.
  local function knocks(w, reconnection)
    local pool = w:pool { reconnection = reconnection }
    w:waitUp(pool)
    w.cluster:kill(2)
    w:eventually("down", function() return w:status(pool, 2) == "down" end)
    local before = pool:getStats().connectionErrors
    require("moonpool").sleep(10000)
    local count = pool:getStats().connectionErrors - before
    w.cluster:start(2)
    w:waitUp(pool)
    local info = pool:policies().reconnect
    return count, info and info.name
  end

  it_in("decides when a host is tried again", function(w)
    local count, name = knocks(w, { policy = "ConstantReconnectionPolicy", delay = 1000 })
    assert.equal("ConstantReconnectionPolicy", name)
    assert.is_true(count >= 9 and count <= 10, count .. " attempts")
  end)

  it_in("may be a user's file", function(w)
    local count, name = knocks(w, { policy = policy "return try.attempt < 3 and 100 or 4000" })
    assert.equal("Mine", name)
    assert.is_true(count >= 3 and count <= 5, count .. " attempts")
  end)

end)
