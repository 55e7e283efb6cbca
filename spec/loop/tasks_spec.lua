-- SPDX-License-Identifier: Apache-2.0
-- Tasks: everything of phase RUN before anything of phase FLUSH, in the turn in which they are posted.
local C = require "spec.support.c"
local loops = require "spec.support.loops"

for _, body in ipairs(loops.bodies) do
  describe("tasks (" .. body.name .. ")", function()
    local loop, ran

    before_each(function()
      loop, ran = body.open(3), {}
    end)
    after_each(function() loop:close() end)

    local function named(name)
      return loop:task(function() ran[#ran + 1] = name end)
    end

    it("run in the order of posting, flushes last", function()
      loop:post(named "flush1", "flush")
      loop:post(named "run1")
      loop:post(named "flush2", "flush")
      loop:post(named "run2")
      assert.equal(4, loop:census().tasks)
      assert.same({}, ran)
      loop:run()
      assert.same({ "run1", "run2", "flush1", "flush2" }, ran)
      assert.equal(0, loop:census().tasks)
    end)

    it("that run tasks post run before the flushes of the same turn", function()
      local depth = 0
      local deeper
      deeper = loop:task(function()
        depth = depth + 1
        ran[#ran + 1] = "run" .. depth
        if depth < 4 then loop:post(deeper) end
      end)
      loop:post(named "flush", "flush")
      loop:post(deeper)
      loop:turn()
      assert.same({ "run1", "run2", "run3", "run4", "flush" }, ran)
    end)

    it("posted by a flush wait for another turn, which does not block", function()
      local late = named "late"
      loop:post(loop:task(function()
        ran[#ran + 1] = "flush"
        loop:post(late)
      end), "flush")
      loop:turn(0)
      assert.equal("flush", ran[1])
      local start = loop:now_ms()
      loop:turn(2000)
      assert.same({ "flush", "late" }, ran)
      assert.is_true(loop:now_ms() - start < 1000)
    end)

    it("that are left never wait for anything else to happen", function()
      local flushes = 0
      local chain
      chain = loop:task(function()
        flushes = flushes + 1
        if flushes < 50 then loop:post(chain, "flush") end
      end)
      loop:post(chain, "flush")
      local start = loop:now_ms()
      while flushes < 50 do loop:turn(2000) end
      assert.is_true(loop:now_ms() - start < 1500)
    end)

    it("are posted once", function()
      local task = named "once"
      loop:post(task)
      loop:post(task)
      loop:post(task, "flush")
      assert.is_true(C.mp_task_posted(task))
      loop:run()
      assert.same({ "once" }, ran)
      assert.is_false(C.mp_task_posted(task))
    end)

    it("do not run when they are cancelled, also by one that runs before", function()
      local victim = named "victim"
      local bystander = named "bystander"
      loop:post(loop:task(function()
        C.mp_task_cancel(loop.handle, victim)
        C.mp_task_cancel(loop.handle, victim)
      end))
      loop:post(victim)
      loop:post(bystander)
      local never = named "never"
      loop:post(never, "flush")
      C.mp_task_cancel(loop.handle, never)
      loop:run()
      assert.same({ "bystander" }, ran)
    end)

    it("that post themselves for ever leave timers and flushes their turn", function()
      local rounds, flushed, fired = 0, false, false
      local endless
      endless = loop:task(function()
        rounds = rounds + 1
        if not fired then loop:post(endless) end
      end)
      loop:post(endless)
      loop:post(loop:task(function() flushed = true end), "flush")
      loop:start(loop:timer(function() fired = true end), 1)
      loop:run()
      assert.is_true(flushed and fired)
      assert.is_true(rounds >= 64)
    end)

    it("run at once in mp_loop_flush, for a host that pumps the loop itself", function()
      loop:post(named "flush", "flush")
      loop:post(named "run")
      loop:flush()
      assert.same({ "run", "flush" }, ran)
    end)

    it("run after the timers of the same turn", function()
      local deadline = C.mp_loop_clock_ns(loop.handle)
      local task = named "task"
      local first = loop:timer(function()
        ran[#ran + 1] = "timer1"
        loop:post(task)
      end)
      local second = loop:timer(function() ran[#ran + 1] = "timer2" end)
      assert(C.mp_timer_start_at_ns(first, deadline) == 0)
      assert(C.mp_timer_start_at_ns(second, deadline) == 0)
      loop:run()
      assert.same({ "timer1", "timer2", "task" }, ran)
    end)
  end)
end
