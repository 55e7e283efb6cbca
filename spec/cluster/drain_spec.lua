-- SPDX-License-Identifier: Apache-2.0
-- The drain of a session that closes: the soonest of the ends that its callers name counts.
local C = require "spec.support.c"
local ffi = require "ffi"
local sim_world = require "spec.support.sim_world"

describe("a drain", function()
  local loop, drain, ended

  before_each(function()
    loop, drain, ended = sim_world.loop(1), ffi.new "struct mp_drain", nil
    C.mp_drain_init(drain, loop.handle, loop:callback("void (*)(void *)", function()
      assert(not ended, "it was over twice")
      ended = loop:now_ms()
    end), nil)
  end)

  after_each(function()
    C.mp_drain_stop(drain)
    loop:close()
  end)

  it("is over once, at its end", function()
    local from = loop:now_ms()
    assert.is_true(C.mp_drain_within(drain, 300))
    loop:pass(1000)
    assert.equal(300, ended - from)
  end)

  it("is over at the soonest end, named first or last", function()
    for _, ends in ipairs { { 300, 100 }, { 100, 300 }, { 100, 100 } } do
      local from = loop:now_ms()
      ended = nil
      assert.is_true(C.mp_drain_within(drain, ends[1]))
      loop:pass(20)
      assert.is_true(C.mp_drain_within(drain, ends[2]))
      loop:pass(500)
      assert.is_true(ended - from <= 120 and ended - from >= 100, ended - from)
    end
  end)

  it("is over at once when somebody has no time, and is not told then", function()
    assert.is_false(C.mp_drain_within(drain, 0))
    assert.is_true(C.mp_drain_within(drain, 300))
    assert.is_false(C.mp_drain_within(drain, 0))
    loop:pass(1000)
    assert.is_nil(ended)
  end)

  it("whose end finds no memory is over at once", function()
    local timers = ffi.new "struct mp_timer[500]"
    local on_due = loop:callback("void (*)(void *)", function() end)
    local count = 0
    C.mp_mem_fail_at(1, true)
    repeat -- until the loop would have to grow
      local timer = timers[count]
      C.mp_timer_init(timer, loop.handle, on_due, nil)
      count = count + 1
    until C.mp_timer_start_ms(timer, 1000) ~= 0
    assert.is_false(C.mp_drain_within(drain, 300))
    C.mp_mem_fail_at(0, false)
    for i = 0, count - 1 do C.mp_timer_stop(timers[i]) end
  end)

  it("that is stopped is not over", function()
    assert.is_true(C.mp_drain_within(drain, 300))
    C.mp_drain_stop(drain)
    C.mp_drain_stop(drain)
    loop:pass(1000)
    assert.is_nil(ended)
  end)
end)
