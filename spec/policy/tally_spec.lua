-- SPDX-License-Identifier: Apache-2.0
-- The tests behind a canary by themselves, over many seeds: two equal generations are not told apart, however events
-- come in bunches, and a worse one is. No policy, no cluster.
local bit = require "bit"
local ffi = require "ffi"
local C = require "spec.support.c"

local UNITS, SHARE = C.MP_TALLY_UNITS, 205 -- one in twenty
local LIMITS = { ERROR_RATE = 1.2, P99 = 1.3, ATTEMPTS = 1.5, BUSIEST_HOST = 1.5, LEFT_DATACENTER = 0.01,
  POLICY_ERRORS = 0.001, DISAGREEMENT = 0.05 }
local HOSTS = 6

local tally = ffi.new "struct mp_tally"
local hosts = ffi.new("struct mp_tally_hosts[?]", HOSTS)
local request = ffi.new "struct mp_tally_request"
local pair = ffi.new "struct mp_tally_pair"

local function begin(share)
  ffi.fill(tally, ffi.sizeof(tally))
  for name, limit in pairs(LIMITS) do tally.limits[C["MP_CANARY_" .. name]] = limit end
  tally.host_count, tally.hosts = HOSTS, hosts
  C.mp_tally_forget_pairs(tally)
  C.mp_tally_begin(tally, share or SHARE)
end

-- Numbers that follow from a seed: 0 <= x < 1.
local function chance(seed)
  local state = seed * 2654435761 % 4294967296
  return function()
    state = (state * 1664525 + 1013904223) % 4294967296
    local mixed = bit.bxor(state, bit.rshift(state, 15))
    return (mixed % 4294967296) / 4294967296
  end
end

local function count(unit, failed, attempts, us)
  request.arm = unit < tally.share and C.MP_CANDIDATE or C.MP_IN_FORCE
  request.unit, request.is_now, request.failed, request.attempts, request.latency_us = unit, true, failed, attempts, us
  C.mp_tally_request(tally, request)
end

-- The condition by which it is taken back, or nil, after `rounds` of so many requests; of(unit, arm, random) gives what
-- became of one: failed, attempts, latency in us.
local function run(seed, rounds, requests, keys, of)
  local random = chance(seed)
  begin()
  for _ = 1, rounds do
    -- In each round keys are dealt anew.
    local unit_of = {}
    for key = 1, keys do unit_of[key] = math.floor(random() * UNITS) end
    for _ = 1, requests do
      local key = math.floor(random() * random() * keys) + 1 -- some are asked for more than others
      local unit = unit_of[key]
      count(unit, of(key, unit < SHARE, random))
      if C.mp_tally_is_due(tally) then
        local found = C.mp_tally_look(tally)
        if found >= 0 then return ffi.string(C.mp_canary_condition_name(found)) end
      end
    end
    C.mp_tally_settle(tally)
    C.mp_tally_round(tally)
  end
  local found = C.mp_tally_look(tally)
  return found >= 0 and ffi.string(C.mp_canary_condition_name(found)) or nil
end

local function latency(random) return math.floor(1000 / (random() + 0.001)) end

-- How many of `seeds` are taken back.
local function taken_back(seeds, ...)
  local times = 0
  for seed = 1, seeds do
    if run(seed, ...) then times = times + 1 end
  end
  return times
end

describe("two equal generations", function()
  it("are not told apart in 999 of 1,000 seeds", function()
    assert.is_true(taken_back(1000, 4, 500, 400, function(_, _, random)
      return random() < 0.02, random() < 0.05 and 2 or 1, latency(random)
    end) <= 1)
  end)

  -- One key in fifty always fails and is slow, whoever plans for it: what falls to a generation comes in bunches.
  it("are not when some keys are bad for both", function()
    assert.is_true(taken_back(300, 4, 500, 200, function(key, _, random)
      local bad = key % 50 == 0
      return bad, bad and 3 or 1, bad and 500000 or latency(random)
    end) <= 1)
  end)

  it("are not when there are few keys", function()
    assert.is_true(taken_back(300, 6, 300, 12, function(key, _, random)
      return key == 3 and random() < 0.5, 1, key == 5 and 90000 or latency(random)
    end) <= 1)
  end)

  -- Every hundredth of a second or so all requests are slow and fail for a while.
  it("are not when trouble comes in bursts", function()
    local left = 0
    assert.is_true(taken_back(300, 4, 500, 400, function(_, _, random)
      if random() < 0.003 then left = 30 end
      left = left - 1
      return left > 0 and random() < 0.7, 1, left > 0 and 300000 or latency(random)
    end) <= 1)
  end)

  it("are not by pairs that differ by chance", function()
    local times = 0
    for seed = 1, 300 do
      local random = chance(seed)
      begin()
      for _ = 1, 600 do
        for arm = 0, 1 do
          pair.host[arm] = math.floor(random() * random() * HOSTS)
          pair.failed[arm], pair.left[arm] = random() < 0.02, random() < 0.05
        end
        C.mp_tally_pair(tally, pair)
        if C.mp_tally_is_due(tally) and C.mp_tally_look(tally) >= 0 then
          times = times + 1
          break
        end
      end
    end
    assert.is_true(times <= 1)
  end)
end)

describe("a generation that is worse", function()
  local function found_in(seeds, condition, rounds, requests, of)
    for seed = 1, seeds do assert.equal(condition, run(seed, rounds, requests, 400, of), "seed " .. seed) end
  end

  it("is taken back for its failures", function()
    found_in(20, "errorRate", 10, 1000, function(_, candidate, random)
      return random() < (candidate and 0.2 or 0.02), 1, latency(random)
    end)
  end)

  it("is taken back for its slowness", function()
    found_in(20, "p99", 10, 1000, function(_, candidate, random)
      local us = 1000 + math.floor(random() * 1000)
      return false, 1, candidate and random() < 0.2 and us * 5 or us
    end)
  end)

  it("is taken back for its messages", function()
    found_in(20, "attempts", 10, 1000, function(_, candidate, random)
      return false, candidate and 2 or 1, latency(random)
    end)
  end)

  it("is not while it is worse within its limits", function()
    assert.equal(0, taken_back(20, 10, 1000, 400, function(_, candidate, random)
      local us = 1000 + math.floor(random() * 1000)
      return false, 1, candidate and math.floor(us * 1.1) or us
    end))
  end)
end)

describe("pairs", function()
  local function ask(host, other, left, failed)
    pair.host[C.MP_CANDIDATE], pair.host[C.MP_IN_FORCE] = host, other
    pair.left[C.MP_CANDIDATE], pair.left[C.MP_IN_FORCE] = left or false, false
    pair.failed[C.MP_CANDIDATE], pair.failed[C.MP_IN_FORCE] = failed or false, false
    C.mp_tally_pair(tally, pair)
  end

  -- How many it takes.
  local function asked_until(condition, ...)
    begin()
    for i = 1, 500 do
      local host, left, failed = ...
      ask(host or i % HOSTS, i % HOSTS, left, failed)
      if C.mp_tally_is_due(tally) then
        local found = C.mp_tally_look(tally)
        if found >= 0 then
          assert.equal(condition, ffi.string(C.mp_canary_condition_name(found)))
          return i
        end
      end
    end
  end

  it("need to be few when one host gets all, when all leave, and when all fail", function()
    assert.is_true(asked_until("busiestHost", 2) <= 60)
    assert.is_true(asked_until("leftDatacenter", nil, true) <= 40)
    assert.is_true(asked_until("policyErrors", nil, false, true) <= 40)
  end)

  it("say nothing when they are the same", function() assert.is_nil((asked_until "nothing")) end)
end)

describe("a condition that is switched off", function()
  it("takes nothing back, and its figures are told", function()
    begin()
    tally.limits[C.MP_CANARY_ERROR_RATE] = -1
    for i = 1, 400 do count(i % 40, true, 1, 1000) end
    for i = 1, 4000 do count(SHARE + i % 3000, false, 1, 1000) end
    assert.equal(-1, C.mp_tally_look(tally))
    local figure = tally.figures[C.MP_CANARY_ERROR_RATE]
    assert.equal(1, figure.candidate)
    assert.equal(0, figure.in_force)
    assert.is_true(figure.confidence > 0.9995)
  end)
end)
