-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"

describe("a window", function()
  local window, totals, states, view

  before_each(function()
    window, view = ffi.new "struct mp_window", ffi.new "struct mp_window_view"
    totals, states = ffi.new "uint64_t[6]", ffi.new "uint32_t[3]"
  end)

  after_each(function() C.mp_window_deinit(window) end)

  local function add(value, times) for _ = 1, times or 1 do C.mp_window_add(window, value) end end
  local function turn(times) for _ = 1, times or 1 do C.mp_window_turn(window, totals, states) end end

  local function look(...)
    C.mp_window_look(window, totals, view)
    local q, values = ffi.new("double[?]", select("#", ...), ...), ffi.new("uint64_t[?]", select("#", ...))
    C.mp_window_quantiles(view, q, select("#", ...), values)
    local list = {}
    for i = 1, select("#", ...) do list[i] = tonumber(values[i - 1]) end
    return tonumber(view.count), unpack(list)
  end

  it("is empty at first", function()
    assert.same({ 0, 0, 0 }, { look(0.5, 0.99) })
    assert.equal(0, C.mp_window_mean(view))
  end)

  it("has what was recorded in the present slot and in the ten before, and nothing older", function()
    add(100)
    turn()
    add(200, 2)
    assert.equal(3, (look()))
    turn(9)
    assert.equal(3, (look()))
    turn()
    assert.equal(2, (look()))
    turn()
    assert.equal(0, (look()))
  end)

  it("finds quantiles as a histogram of the same values does", function()
    local hist, random = ffi.new "struct mp_hist", require("spec.support.world").random(7)
    for _ = 1, 9 do
      for _ = 1, 300 do
        local value = random(65536) * (random(3) == 0 and 1000 or 1)
        add(value)
        C.mp_hist_add(hist, value)
      end
      turn()
    end
    local q = { 0.001, 0.5, 0.95, 0.99, 0.999, 1 }
    local found = { look(unpack(q)) }
    assert.equal(2700, table.remove(found, 1))
    for i, each in ipairs(q) do
      local exact = tonumber(C.mp_hist_quantile(hist, each))
      assert.is_true(found[i] >= exact and found[i] <= exact * 1.0625 + 1, each .. ": " .. found[i]) -- a bucket's edge
    end
    assert.equal(C.mp_hist_mean(hist), C.mp_window_mean(view))
  end)

  it("has the buckets of a histogram", function()
    for bits = 0, 31 do
      for _, value in ipairs { 2 ^ bits - 1, 2 ^ bits, 2 ^ bits * 1.5, 2 ^ bits * 1.9375 } do
        assert.equal(tonumber(C.mp_hist_bucket(value)), C.mp_window_bucket(value), value)
      end
    end
  end)

  it("takes what is beyond its range for its largest value", function()
    add(2 ^ 40)
    add(2 ^ 32 - 1)
    turn()
    assert.same({ 2, 2 ^ 32 - 1, 2 ^ 32 - 1 }, { look(0.1, 1) })
  end)

  it("says how much totals grew, whoever looks", function()
    totals[0], totals[5] = 1000, 7
    turn(11) -- what was before the window
    totals[0] = 1010
    for _ = 1, 3 do look() end
    assert.equal(10, tonumber(view.gained[0]))
    turn()
    totals[0] = 1015
    look()
    assert.equal(15, tonumber(view.gained[0]))
    assert.equal(0, tonumber(view.gained[5]))
    turn(10)
    look()
    assert.equal(5, tonumber(view.gained[0]))
  end)

  it("adds up the states that its slots ended in", function()
    for i = 1, 12 do
      states[1] = i
      turn()
    end
    look()
    assert.equal(3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12, tonumber(view.states[1]))
    assert.equal(10, view.ended)
  end)

  it("counts since the beginning within exact bounds, powers of two", function()
    for i = 0, 20 do add(2 ^ (6 + i) - 1) add(2 ^ (6 + i)) end
    turn(30)
    assert.equal(42, tonumber(window.all_count))
    assert.equal(1, tonumber(window.all_below[0])) -- 63
    for i = 1, 18 do assert.equal(2, tonumber(window.all_below[i]), i) end
    assert.equal(42 - 1 - 36, tonumber(window.all_below[19]))
  end)

  it("asks for no memory any more once each slot had its share", function()
    local function round()
      for i = 1, 10 do
        for value = 1, 40 do add(value * value * 13 % 5000 + i) end
        turn()
      end
    end
    round()
    round()
    local before = tonumber(C.mp_mem_stats().allocs)
    round()
    assert.equal(before, tonumber(C.mp_mem_stats().allocs))
  end)
end)
