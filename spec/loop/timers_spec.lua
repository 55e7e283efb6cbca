-- SPDX-License-Identifier: Apache-2.0
-- Timers fire once, in the order of their deadlines, and never inside the call that starts them.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"

for _, body in ipairs(loops.bodies) do
  describe("timers (" .. body.name .. ")", function()
    local loop

    before_each(function() loop = body.open(11) end)
    after_each(function() loop:close() end)

    local function fired_in_order(starts)
      local fired = {}
      for name, delay in pairs(starts) do
        loop:start(loop:timer(function() fired[#fired + 1] = name end), delay)
      end
      loop:run()
      return table.concat(fired, " ")
    end

    it("fire in the order of their deadlines", function()
      assert.equal("a b c d e", fired_in_order { c = 6, a = 0, e = 12, b = 3, d = 9 })
    end)

    it("fire in the order of their start when the deadlines are equal", function()
      local fired = {}
      local deadline = C.mp_loop_clock_ns(loop.handle) + 2000000ULL
      for i = 1, 50 do
        local timer = loop:timer(function() fired[#fired + 1] = i end)
        assert.equal(0, C.mp_timer_start_at_ns(timer, deadline))
      end
      loop:run()
      for i = 1, 50 do assert.equal(i, fired[i]) end
    end)

    it("fire once, not before their time, and are inactive then", function()
      local fired = 0
      local timer = loop:timer(function() fired = fired + 1 end)
      local start = loop:now_ms()
      loop:start(timer, 5)
      assert.is_true(C.mp_timer_active(timer))
      assert.equal(0, fired)
      loop:run()
      assert.equal(1, fired)
      assert.is_true(loop:now_ms() - start >= 4)
      assert.is_false(C.mp_timer_active(timer))
    end)

    it("move when they are started again", function()
      local fired = {}
      local moved = loop:timer(function() fired[#fired + 1] = "moved" end)
      local other = loop:timer(function() fired[#fired + 1] = "other" end)
      loop:start(moved, 1)
      loop:start(other, 3)
      loop:start(moved, 6)
      assert.equal(2, loop:census().timers)
      loop:run()
      assert.same({ "other", "moved" }, fired)
    end)

    it("do not fire when they are stopped, also by another timer of the same moment", function()
      local fired = {}
      local deadline = C.mp_loop_clock_ns(loop.handle) + 1000000ULL
      local second
      local first = loop:timer(function()
        fired[#fired + 1] = "first"
        C.mp_timer_stop(second)
        C.mp_timer_stop(second)
      end)
      second = loop:timer(function() fired[#fired + 1] = "second" end)
      assert(C.mp_timer_start_at_ns(first, deadline) == 0)
      assert(C.mp_timer_start_at_ns(second, deadline) == 0)
      loop:run()
      assert.same({ "first" }, fired)
    end)

    it("wait for the next turn when they are started while timers fire", function()
      local turns, fired_at = 0, {}
      local again
      again = loop:timer(function()
        fired_at[#fired_at + 1] = turns
        if #fired_at < 3 then loop:start(again, 0) end
      end)
      local other = loop:timer(function() fired_at.other = turns end)
      assert(C.mp_timer_start_at_ns(again, 0) == 0)
      assert(C.mp_timer_start_at_ns(other, 1) == 0)
      while #fired_at < 3 do
        turns = turns + 1
        loop:turn(10)
      end
      assert.same({ 1, 2, 3, other = 1 }, fired_at)
    end)

    it("with deadlines long past stand in line behind those that are due", function()
      local fired, greedy = {}, 0
      local again
      again = loop:timer(function()
        greedy = greedy + 1
        if greedy < 20 then assert(C.mp_timer_start_at_ns(again, 0) == 0) end
      end)
      assert(C.mp_timer_start_at_ns(again, 0) == 0)
      for i = 1, 3 do
        loop:start(loop:timer(function() fired[#fired + 1] = greedy end), i)
      end
      local started = C.mp_loop_clock_ns(loop.handle)
      assert.is_true(again.deadline_ns > 0 and again.deadline_ns <= started)
      loop:run()
      assert.equal(20, greedy)
      assert.equal(3, #fired)
      assert.is_true(again.deadline_ns > 0)
    end)

    it("keep their order through many starts, moves and stops", function()
      local random = ffi.new "struct mp_rand"
      C.mp_rand_seed(random, 5)
      local base = C.mp_loop_clock_ns(loop.handle)
      local fired, expected, timers = {}, {}, {}
      for i = 1, 300 do timers[i] = loop:timer(function() fired[#fired + 1] = i end) end
      local deadline, order, starts = {}, {}, 0
      for _ = 1, 3000 do
        local i = 1 + C.mp_rand_below(random, 300)
        if C.mp_rand_below(random, 4) == 0 then
          C.mp_timer_stop(timers[i])
          deadline[i] = nil
        else
          starts = starts + 1
          -- Far enough away that a slow run of this loop does not reach the first of them.
          deadline[i], order[i] = 200 + C.mp_rand_below(random, 60), starts
          assert(C.mp_timer_start_at_ns(timers[i], base + 1000000ULL * deadline[i]) == 0)
        end
      end
      for i in pairs(deadline) do expected[#expected + 1] = i end
      table.sort(expected, function(a, b)
        if deadline[a] ~= deadline[b] then return deadline[a] < deadline[b] end
        return order[a] < order[b]
      end)
      assert.equal(#expected, loop:census().timers)
      loop:run()
      assert.same(expected, fired)
    end)

    it("take delays of any size without overflow", function()
      local timer = loop:timer(function() error("must not fire") end)
      for _, delay in ipairs { 0xffffffffffffffffULL, 0xffffffffULL, 18446744073709ULL } do
        assert.equal(0, C.mp_timer_start_ms(timer, delay))
        assert.is_true(timer.deadline_ns > C.mp_loop_clock_ns(loop.handle))
        loop:turn(1)
      end
      C.mp_timer_stop(timer)
    end)

    it("say so when there is no memory for them", function()
      local timers, rc = {}, 0
      for i = 1, 100 do timers[i] = loop:timer(function() end) end
      C.mp_mem_fail_at(1, true)
      for i = 1, 100 do
        rc = C.mp_timer_start_ms(timers[i], 1)
        if rc ~= 0 then break end
      end
      C.mp_mem_fail_at(0, false)
      assert.equal(C.MP_ENOMEM, rc)
      loop:run()
      assert.equal(0, loop:census().timers)
    end)

    it("are started without memory when they were reserved, whatever others do", function()
      local fired, reserved, others = 0, {}, {}
      for i = 1, 100 do
        reserved[i] = loop:timer(function() fired = fired + 1 end)
        others[i] = loop:timer(function() end)
        assert.equal(0, C.mp_timer_reserve(reserved[i]))
      end
      C.mp_mem_fail_at(1, true)
      local rc = 0
      for i = 1, 100 do
        rc = rc ~= 0 and rc or C.mp_timer_start_ms(others[i], 1)
      end
      for round = 1, 2 do
        for i = 1, 100 do assert.equal(0, C.mp_timer_start_ms(reserved[i], round)) end
        for i = 1, 100, 3 do C.mp_timer_stop(reserved[i]) end
      end
      C.mp_mem_fail_at(0, false)
      assert.equal(C.MP_ENOMEM, rc)
      loop:run()
      assert.equal(66, fired)
      for i = 1, 100 do C.mp_timer_release(reserved[i]) end
      assert.equal(0, loop:census().timers)
    end)
  end)
end
