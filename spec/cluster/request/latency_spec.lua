-- SPDX-License-Identifier: Apache-2.0
-- How long a host takes, as plans see it: answers are measured, and silences count as answers that were at least as
-- long, whether they end in a timeout or in a lost race.
local C = require "spec.support.c"
local speculation = require "spec.support.speculation"
local ffi = require "ffi"

describe("the latency of a host", function()
  local function fresh() return ffi.new "struct mp_host_view" end

  it("is a moving mean of its answers, and starts anew after a while without any", function()
    local host = fresh()
    C.mp_latency_answered(host, 800, 1000)
    assert.equal(800, host.latencyUs)
    C.mp_latency_answered(host, 1600, 2000)
    assert.equal(900, host.latencyUs)
    C.mp_latency_answered(host, 100, 7000)
    assert.equal(800, host.latencyUs)
    C.mp_latency_answered(host, 50, 12001)
    assert.equal(50, host.latencyUs)
    C.mp_latency_answered(host, 0, 20000)
    assert.equal(1, host.latencyUs) -- 0 stands for "not measured"
  end)

  it("is not lowered by a silence, and raised by one as by an answer of that length", function()
    local draw = require("spec.support.world").random(7)
    for _ = 1, 200 do
      local host, now = fresh(), 1 + draw(1000)
      for _ = 1, 40 do
        now = now + draw(draw(4) == 1 and 9000 or 300)
        local us = draw(2) == 1 and draw(2000) or draw(5000000)
        local before = ffi.new("struct mp_host_view", host)
        if draw(2) == 1 then
          C.mp_latency_answered(host, us, now)
        else
          C.mp_latency_silent(host, us, now)
          assert.is_true(host.latencyUs >= before.latencyUs)
          if us > before.latencyUs then
            C.mp_latency_answered(before, us, now)
            assert.equal(before.latencyUs, host.latencyUs)
          else
            assert.equal(before.latencyUs, host.latencyUs)
          end
        end
        assert.equal(now, host.latencyAtMs)
      end
    end
  end)

  describe("that is silent", function()
    local world

    after_each(function()
      if world then world:close() end
      world = nil
    end)

    local function view_of(i) return world.session.view.hosts[world:find(speculation.ip(i)).index] end

    -- The first host has answered in 1 ms up to now, and leaves the next request without an answer for a while.
    local function silent_once(delays, finish)
      world = speculation.open(2, delays)
      local view = view_of(1)
      C.mp_latency_answered(view, 1000, world.loop:now_ms())
      local record = speculation.submit(world, speculation.read)
      world:until_true(function() return world.held[speculation.ip(1)] end)
      finish(record)
      return view.latencyUs, view.latencyAtMs
    end

    it("is as slow by a timeout as by a lost race of that length", function()
      local lost = silent_once({ 20 }, function(record)
        world:pass(499)
        world.held[speculation.ip(2)] "ok"
        world:wait(record)
      end)
      world:close()
      local timed_out, at = silent_once({}, function(record)
        world:wait(record)
        assert.equal(1, world:find(speculation.ip(1)).timeouts)
      end)
      -- One eighth of half a second each: a packet that was lost outweighs no thousand answers.
      assert.is_true(math.abs(tonumber(lost) - 63000) < 2000, lost)
      assert.is_true(math.abs(tonumber(timed_out) - 63000) < 2000, timed_out)
      assert.is_true(world.loop:now_ms() - at < 1000)
    end)

    it("is still slow when it is silent again for less long", function()
      world = speculation.open(2, { 20 })
      local view = view_of(1)
      C.mp_latency_answered(view, 3000000, world.loop:now_ms())
      world:pass(3000)
      local record = speculation.submit(world, speculation.read)
      world:until_true(function() return world.held[speculation.ip(2)] end)
      world.held[speculation.ip(2)] "ok"
      world:wait(record)
      assert.equal(3000000, view.latencyUs)
      assert.is_true(world.loop:now_ms() - view.latencyAtMs < 10) -- news: no other chance yet
    end)

    it("is not slow because a caller has cancelled", function()
      world = speculation.open(2, {})
      local view = view_of(1)
      C.mp_latency_answered(view, 1000, world.loop:now_ms())
      local record = speculation.submit(world, speculation.read)
      world:pass(400)
      assert.is_true(world:cancel(record))
      world:wait(record)
      assert.equal(1000, view.latencyUs)
    end)
  end)
end)
