-- SPDX-License-Identifier: Apache-2.0
-- The circuit breaker as a pure machine: by example, and against a model in Lua through random histories.
local ffi = require "ffi"
local C = require "spec.support.c"
local random_of = require("spec.support.world").random

local CLOSED, OPEN, HALF_OPEN = C.MP_BREAKER_CLOSED, C.MP_BREAKER_OPEN, C.MP_BREAKER_HALF_OPEN
local NONE, GOOD, BAD = C.MP_VERDICT_NONE, C.MP_VERDICT_GOOD, C.MP_VERDICT_OVERLOADED

local function new(rules)
  local self = { rules = ffi.new("struct mp_breaker_rules", { true, 3, 1000, 2 }), now = 5000 }
  for key, value in pairs(rules or {}) do self.rules[key] = value end
  self.breaker = ffi.new "struct mp_breaker"
  C.mp_breaker_init(self.breaker, self.rules, self.now)
  local changed = ffi.new "bool[1]"
  function self.enter() return C.mp_breaker_enter(self.breaker, self.now, changed), changed[0] end
  function self.leave(ticket, verdict) return C.mp_breaker_leave(self.breaker, ticket, verdict, self.now) end
  function self.call(verdict) return self.leave((self.enter()), verdict) end
  function self.state() return self.breaker.state end
  function self.admits() return C.mp_breaker_admits(self.breaker) end
  function self.recover(early) return C.mp_breaker_recover(self.breaker, self.now, early or false) end
  return self
end

local function opened(rules)
  local self = new(rules)
  while self.state() ~= OPEN do self.call(BAD) end
  return self
end

describe("a circuit breaker", function()
  it("opens after failures in a row, and only then", function()
    local b = new()
    for _, verdict in ipairs { BAD, BAD, GOOD, BAD, BAD, NONE } do assert.is_false(b.call(verdict)) end
    assert.equal(CLOSED, b.state())
    assert.is_true(b.call(BAD))
    assert.equal(OPEN, b.state())
    assert.is_false(b.admits())
  end)

  it("is half open after its time, not before", function()
    local b = opened()
    b.now = b.now + 999
    assert.is_false(b.recover())
    b.now = b.now + 1
    assert.is_true(b.recover())
    assert.equal(HALF_OPEN, b.state())
    assert.is_false(b.recover())
  end)

  it("lets so many in while it is half open, and closes when all of them went well", function()
    local b = opened()
    b.recover(true)
    local first, second = b.enter(), b.enter()
    assert.is_false(b.admits())
    assert.is_false(b.leave(first, GOOD))
    assert.is_false(b.admits(), "one of two went well, the other is under way")
    assert.is_true(b.leave(second, GOOD))
    assert.equal(CLOSED, b.state())
    assert.equal(0, b.breaker.failures)
  end)

  it("gives the place of a call back that taught nothing", function()
    local b = opened { trials = 1 }
    b.recover(true)
    local ticket = b.enter()
    assert.is_false(b.admits())
    b.leave(ticket, NONE)
    assert.is_true(b.admits())
  end)

  it("opens again with the first failure, and its time begins anew", function()
    local b = opened()
    b.now = b.now + 1000
    b.recover()
    b.now = b.now + 500
    assert.is_true(b.call(BAD))
    assert.equal(OPEN, b.state())
    b.now = b.now + 999
    assert.is_false(b.recover())
    b.now = b.now + 1
    assert.is_true(b.recover())
  end)

  it("is tried before its time by a call that is made all the same", function()
    local b = opened()
    local ticket, changed = b.enter()
    assert.is_true(changed)
    assert.equal(HALF_OPEN, b.state())
    assert.is_false(b.leave(ticket, GOOD))
    assert.is_true(b.call(GOOD))
    assert.equal(CLOSED, b.state())
  end)

  it("does not hear of calls that entered another state", function()
    local b = new()
    local old = {}
    for i = 1, 5 do old[i] = b.enter() end
    for i = 1, 3 do b.leave(old[i], BAD) end
    assert.equal(OPEN, b.state())
    assert.is_false(b.leave(old[4], BAD))
    b.recover(true)
    assert.is_false(b.leave(old[5], GOOD))
    assert.equal(0, b.breaker.passed)
    assert.equal(0, b.breaker.trying)
  end)

  it("hears of failures that were no calls", function()
    local b = new { threshold = 2 }
    assert.is_false(C.mp_breaker_fail(b.breaker, b.now))
    assert.is_true(C.mp_breaker_fail(b.breaker, b.now))
    assert.is_false(C.mp_breaker_fail(b.breaker, b.now))
    b.recover(true)
    assert.is_true(C.mp_breaker_fail(b.breaker, b.now))
    assert.equal(OPEN, b.state())
  end)

  it("that is switched off lets everybody in and hears nothing", function()
    local b = new { enabled = false, threshold = 1 }
    assert.equal(0, b.enter())
    for _ = 1, 9 do assert.is_false(b.call(BAD)) end
    assert.is_false(C.mp_breaker_fail(b.breaker, b.now))
    assert.is_true(b.admits())
  end)

  it("follows rules that change, and never waits for calls that cannot come", function()
    local b = opened { trials = 3 }
    b.recover(true)
    b.call(GOOD)
    b.rules.trials = 1
    assert.is_true(C.mp_breaker_follow(b.breaker, b.now))
    assert.equal(CLOSED, b.state())
    b = opened()
    b.rules.enabled = false
    assert.is_true(C.mp_breaker_follow(b.breaker, b.now))
    assert.is_true(b.admits())
    assert.equal(0, b.enter())
    b.rules.enabled = true
    assert.is_false(C.mp_breaker_follow(b.breaker, b.now))
    assert.is_true(b.enter() ~= 0)
  end)

  it("tells its states and verdicts by name", function()
    assert.equal("halfOpen", ffi.string(C.mp_breaker_state_name(HALF_OPEN)))
    assert.equal("it is overloaded", ffi.string(C.mp_breaker_verdict_text(BAD)))
  end)

  it("has a ticket for each state, also when they have all been used", function()
    local b = new()
    b.breaker.states, b.breaker.ticket = 2 ^ 32 - 1, 2 ^ 32 - 1
    for _ = 1, 3 do b.call(BAD) end
    assert.equal(OPEN, b.state())
    assert.equal(1, b.breaker.ticket)
  end)

  -- The model: a list of what each state heard. It shares nothing with the machine but the drawing in breaker.h.
  local function model(rules, now)
    local m = { state = "closed", heard = {}, under_way = {}, since = now }
    local function go(state)
      m.state, m.heard, m.under_way, m.since = state, {}, {}, m.now
    end
    m.now = now
    local function judge()
      local bad, good = 0, 0
      for i = #m.heard, 1, -1 do
        if m.heard[i] == "bad" then bad = bad + 1 else break end
      end
      for _, verdict in ipairs(m.heard) do good = good + (verdict == "good" and 1 or 0) end
      if m.state == "closed" and bad >= rules.threshold then go "open"
      elseif m.state == "halfOpen" and bad > 0 then go "open"
      elseif m.state == "halfOpen" and good >= rules.trials then go "closed" end
    end
    function m.enter(call)
      if m.state == "open" then go "halfOpen" end
      m.under_way[call] = true
    end
    function m.leave(call, verdict)
      if not m.under_way[call] then return end
      m.under_way[call] = nil
      if verdict == "none" then return end
      m.heard[#m.heard + 1] = verdict
      judge()
    end
    function m.fail()
      if m.state == "open" then return end
      m.heard[#m.heard + 1] = "bad"
      judge()
    end
    function m.recover(early)
      if m.state == "open" and (early or m.now - m.since >= rules.recovery_ms) then go "halfOpen" end
    end
    function m.admits()
      if m.state ~= "halfOpen" then return m.state == "closed" end
      local count = 0
      for _ in pairs(m.under_way) do count = count + 1 end
      for _, verdict in ipairs(m.heard) do count = count + (verdict == "good" and 1 or 0) end
      return count < rules.trials
    end
    return m
  end

  it("is its model, whatever happens to it", function()
    local verdicts = { { GOOD, "good" }, { BAD, "bad" }, { C.MP_VERDICT_TIMED_OUT, "bad" }, { NONE, "none" } }
    for seed = 1, 150 do
      local random = random_of(seed)
      local rules = { threshold = random(4) + 1, recovery_ms = random(3) * 400 + 1, trials = random(3) + 1 }
      local b = new(rules)
      local m = model(rules, b.now)
      local calls, count = {}, 0
      for step = 1, 150 do
        local what = random(10)
        if what < 4 then
          count = count + 1
          calls[#calls + 1] = { number = count, ticket = (b.enter()) }
          m.enter(count)
        elseif what < 8 and #calls > 0 then
          local call = table.remove(calls, random(#calls) + 1)
          local verdict = verdicts[random(4) + 1]
          local before = b.state()
          local changed = b.leave(call.ticket, verdict[1])
          m.leave(call.number, verdict[2])
          assert(changed == (b.state() ~= before), "it says when it changes")
        elseif what == 8 then
          b.now = b.now + random(700)
          m.now = b.now
          local early = random(8) == 0
          b.recover(early)
          m.recover(early)
        else
          C.mp_breaker_fail(b.breaker, b.now)
          m.fail()
        end
        local name = ffi.string(C.mp_breaker_state_name(b.state()))
        assert(name == m.state, ("seed %d, step %d: %s instead of %s"):format(seed, step, name, m.state))
        assert(b.admits() == m.admits(), ("seed %d, step %d: admission in %s"):format(seed, step, name))
        assert(b.breaker.trying <= #calls)
      end
    end
  end)
end)
