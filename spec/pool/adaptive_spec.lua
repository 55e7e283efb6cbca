-- SPDX-License-Identifier: Apache-2.0
-- The controller of a pool's size, without a pool: an interval is twenty samples and a decision.
local ffi = require "ffi"
local C = require "spec.support.c"

local SAMPLES, MEMORY = tonumber(C.MP_ADAPTIVE_SAMPLES), tonumber(C.MP_ADAPTIVE_MEMORY)

local Sizer = {}
Sizer.__index = Sizer

local function sizer(options)
  options = options or {}
  local self = setmetatable({
    adaptive = ffi.new "struct mp_adaptive", rules = ffi.new "struct mp_adaptive_rules",
    pool = ffi.new "struct mp_adaptive_pool", turns = 0, resizes = 0,
  }, Sizer)
  self.rules.enabled, self.rules.interval_ms = true, 1000
  self.rules.target, self.rules.up, self.rules.down = options.target or 0.7, options.up or 0.8, options.down or 0.3
  self.pool.min, self.pool.max = options.min or 2, options.max or 20
  self.pool.size, self.pool.room = options.size or self.pool.min, options.room or 10
  C.mp_adaptive_init(self.adaptive)
  return self
end

function Sizer:take(size)
  if size == self.pool.size then return size end
  self.resizes = self.resizes + 1
  local grows = size > self.pool.size
  if self.grew ~= nil and self.grew ~= grows then self.turns = self.turns + 1 end
  self.grew = grows
  self.pool.size = size
  return size
end

-- An interval with this load, or with load(i) in each sample. The size after it. What finds no room is a rush.
function Sizer:interval(load)
  for i = 1, SAMPLES do
    local wanted = type(load) == "function" and load(i) or load
    while wanted > self.pool.size * self.pool.room and self.pool.size < self.pool.max do
      self:take(C.mp_adaptive_rush(self.adaptive, self.rules, self.pool))
    end
    local is_last = C.mp_adaptive_note(self.adaptive, math.min(wanted, self.pool.size * self.pool.room))
    assert(is_last == (i == SAMPLES))
  end
  return self:take(C.mp_adaptive_decide(self.adaptive, self.rules, self.pool))
end

function Sizer:intervals(count, load)
  local size
  for _ = 1, count do size = self:interval(load) end
  return size
end

local function random_of(seed)
  local random = require("spec.support.world").random(seed)
  return function(from, to) return from + random(to - from + 1) end
end

describe("adaptive sizing", function()
  it("grows to the target's share when the mean of an interval is above scaleUpThreshold", function()
    local s = sizer { size = 4 }
    assert.equal(4, s:interval(32))
    assert.equal(5, s:interval(33))
    assert.equal(5, s:intervals(50, 33))
    assert.near(33 / 50, s.adaptive.utilization, 1e-9)
  end)

  it("grows at once when there is no room left", function()
    local s = sizer { size = 2 }
    s:interval(function(i) return i < 10 and 5 or 190 end)
    assert.equal(20, s.pool.size)
  end)

  it("shrinks only when nothing was above scaleDownThreshold for some intervals, by a quarter at a time", function()
    local s = sizer { size = 20 }
    s:intervals(2 * MEMORY, 100)
    assert.equal(20, s.pool.size)
    for _ = 1, MEMORY - 1 do assert.equal(20, s:interval(20)) end
    local sizes = {}
    for i = 1, 8 do sizes[i] = s:interval(20) end
    assert.same({ 15, 12, 9, 7, 6, 6, 6, 6 }, sizes)
  end)

  it("does not shrink for a burst that comes back, however short it is", function()
    local s = sizer { size = 4 }
    for round = 1, 40 do
      s:interval(function(i) return round % MEMORY == 0 and i == 1 and 160 or 4 end)
    end
    assert.equal(0, s.turns)
    assert.is_true(s.pool.size >= 16)
  end)

  it("stays within its bounds, also when they move", function()
    local s = sizer { min = 3, max = 6, size = 3 }
    assert.equal(6, s:intervals(10, 500))
    s.pool.max = 4
    assert.equal(4, s:interval(500))
    s.pool.min, s.pool.max = 5, 9
    assert.is_true(s:intervals(10, 0) == 5)
    assert.equal(5, s:intervals(100, 0))
  end)

  it("comes to rest under a steady load, whatever the thresholds are", function()
    for seed = 1, 400 do
      local r = random_of(seed)
      local down = r(0, 90) / 100
      local up = math.min(1, down + r(2, 100) / 100)
      local min = r(1, 6)
      local s = sizer { down = down, up = up, target = down + (up - down) * r(1, 99) / 100, min = min,
        max = min + r(0, 40), room = r(1, 200) }
      s.pool.size = r(s.pool.min, s.pool.max)
      local load = r(0, s.pool.max * s.pool.room)
      s:intervals(60, load)
      local size, resizes = s.pool.size, s.resizes
      assert.equal(size, s:intervals(30, load), "seed " .. seed)
      assert.equal(resizes, s.resizes, "seed " .. seed)
      assert.is_true(s.turns <= 1, "seed " .. seed)
      local room = size * s.pool.room
      assert.is_true(size == s.pool.max or load <= s.rules.up * room + 1e-6, "too small, seed " .. seed)
      local least = math.max(s.pool.min, math.ceil(load / (s.rules.target * s.pool.room) - 1e-9))
      assert.is_true(size <= least or load >= s.rules.down * room - 1e-6, "too big, seed " .. seed)
    end
  end)

  it("turns at most once in as many intervals as it remembers, whatever comes", function()
    for seed = 1, 100 do
      local r = random_of(seed)
      local s, quiet = sizer { max = 40 }, 0
      for _ = 1, 200 do
        local before, turns = s.pool.size, s.turns
        local level = r(0, 400)
        s:interval(function() return r(0, level) end)
        assert.is_true(s.pool.size >= s.pool.min and s.pool.size <= s.pool.max)
        if s.pool.size < before and s.turns > turns then
          assert.is_true(quiet >= MEMORY - 1, "it shrank " .. quiet .. " intervals after it grew, seed " .. seed)
        end
        quiet = s.pool.size > before and 0 or quiet + 1
      end
    end
  end)
end)
