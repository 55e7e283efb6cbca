-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local sim_world = require "spec.support.sim_world"

describe("the timestamps of writes", function()
  local loop, timestamps, log, lines

  before_each(function()
    loop = sim_world.loop(1)
    timestamps, log, lines = ffi.new "struct mp_timestamps", ffi.new "struct mp_log", {}
    C.mp_log_init(log)
    log.sink = loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, _, line)
      lines[#lines + 1] = ffi.string(line)
    end)
  end)
  after_each(function() loop:close() end)

  local function next_us() return C.mp_timestamps_next(timestamps, loop.handle, log) end
  local function wall_us() return ffi.cast("int64_t", C.mp_loop_wall_us(loop.handle)) end

  it("are the wall clock's", function()
    assert.is_true(next_us() == wall_us())
    loop:pass(10)
    assert.is_true(next_us() == wall_us())
    assert.same({}, lines)
  end)

  it("differ within a microsecond, and go on when the clock went back", function()
    local last = next_us()
    for _, back_s in ipairs { 0, 1, 3600 } do
      C.mp_loop_sim_set_wall(loop.handle, C.mp_loop_wall_us(loop.handle) - back_s * 1000000ULL)
      for _ = 1, 1000 do
        local now = next_us()
        assert.is_true(now == last + 1)
        last = now
      end
    end
    loop:pass(2 * 3600000)
    assert.is_true(next_us() == wall_us())
  end)

  it("are told to be ahead of the wall clock once a second", function()
    next_us()
    C.mp_loop_sim_set_wall(loop.handle, C.mp_loop_wall_us(loop.handle) - 5000000ULL)
    for _ = 1, 100 do next_us() end
    assert.same({ "the wall clock is 5000 ms behind the timestamps of earlier writes: it went back" }, lines)
    loop:pass(1000)
    next_us()
    assert.equal(2, #lines)
    loop:pass(3500)
    next_us()
    assert.equal(2, #lines)
  end)
end)
