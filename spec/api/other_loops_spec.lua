-- SPDX-License-Identifier: Apache-2.0
-- Programs with an event loop of their own that turn moonpool's inside of it: the examples, as a user runs them.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local sim_process = require "spec.support.sim_process"

describe("a program with an event loop of its own", function()
  local cluster, folder
  setup(function()
    cluster, folder = sim_process.start(2), policies.folder()
  end)
  teardown(function()
    cluster:stop()
    policies.remove(folder)
  end)

  local function configure()
    policies.write(folder .. "/pool.lua", ("return { contactPoints = { '127.0.0.1:%d' }, " ..
      "localDataCenter = 'datacenter1', logging = { level = 'warn' } }"):format(cluster.port))
  end

  it("of each of its threads", function()
    configure()
    local said, status = program.sh(("'%s/examples/moonpool-threads' %s/pool.lua 3 50"):format(MOONPOOL_BUILD_DIR,
      folder))
    assert.equal("150 answers in 3 threads, 0 failures\n", said)
    assert.equal(0, status)
  end)

  it("in C++17", function()
    configure()
    local compile = ("c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsanitize=address,undefined -I '%s/runtime' " ..
      "'%s/examples/embed/pool.cpp' -o %s/app -L '%s' -lmoonpool -Wl,-rpath,'%s'"):format(MOONPOOL_ROOT, MOONPOOL_ROOT,
      folder, MOONPOOL_BUILD_DIR, MOONPOOL_BUILD_DIR)
    assert.equal("", (program.sh(compile)))
    local said, status = program.sh(("%s/app %s/pool.lua"):format(folder, folder))
    assert.matches("^%w+ runs [%d.]+\n$", said)
    assert.equal(0, status)
  end)

  it("of plain epoll", function()
    configure()
    local said, status = program.sh(("'%s/examples/moonpool-epoll' %s/pool.lua"):format(MOONPOOL_BUILD_DIR, folder))
    assert.matches("^20 answers, the last one from 127%.0%.0%.%d:%d+; my own timer ticked\n$", said)
    assert.equal(0, status)
  end)

  local function in_lua(name)
    local file = assert(io.open(MOONPOOL_ROOT .. "/examples/" .. name))
    local text = file:read "*a"
    file:close()
    return program.luajit(text, ("timeout 60 env CASSANDRA_HOSTS=127.0.0.1:%d"):format(cluster.port))
  end

  it("of luv", function()
    local said, status = in_lua "luv.lua"
    assert.matches("^20 answers, version [%d.]+; luv's own timer ticked\n$", said)
    assert.equal(0, status)
  end)

  it("of cqueues", function()
    local said, status = in_lua "cqueues.lua"
    assert.matches("^20 answers, version [%d.]+; the other coroutine ticked\n$", said)
    assert.equal(0, status)
  end)

  it("attaches it once, and to luv only", function()
    local said = program.luajit([[
      local moonpool, uv = require "moonpool", require "luv"
      print(select(2, pcall(moonpool.attach, "luv")))
      moonpool.attach(uv)
      print(select(2, pcall(moonpool.attach, uv)))
      uv.run()
      print "over"
    ]], "timeout 60 env")
    assert.matches("^[^\n]*bad argument #1 to 'attach' %(luv, as require \"luv\" gives it, expected%)\n" ..
      "[^\n]*moonpool.attach: moonpool is attached already\nover\n$", said)
  end)
end)

describe("a loop that a host turns", function()
  local function with(loop, fn)
    fn(loop)
    C.mp_loop_free(loop)
  end

  it("has a descriptor when it is real, and none in virtual time", function()
    with(C.mp_loop_uv_new(nil, 1), function(loop) assert.is_true(C.mp_loop_fd(loop) >= 0) end)
    with(C.mp_loop_sim_new(1), function(loop) assert.equal(-1, C.mp_loop_fd(loop)) end)
  end)

  it("says how long it may be left alone, and that something began", function()
    with(C.mp_loop_sim_new(1), function(loop)
      local touched, fired = 0, 0
      local touch = ffi.cast("void (*)(void *)", function() touched = touched + 1 end)
      local fire = ffi.cast("void (*)(void *)", function() fired = fired + 1 end)
      C.mp_loop_on_touch(loop, touch, nil)
      assert.equal(-1, C.mp_loop_wait_ms(loop))
      local timer, task = ffi.new "struct mp_timer", ffi.new "struct mp_task"
      C.mp_timer_init(timer, loop, fire, nil)
      assert.equal(0, C.mp_timer_start_ms(timer, 25))
      assert.equal(1, touched)
      assert.equal(25, C.mp_loop_wait_ms(loop))
      C.mp_task_init(task, fire, nil)
      C.mp_task_post(loop, task, C.MP_PHASE_RUN)
      assert.equal(2, touched)
      assert.equal(0, C.mp_loop_wait_ms(loop))
      C.mp_loop_flush(loop)
      assert.equal(1, fired)
      assert.equal(2, touched) -- not from inside
      local entered = C.mp_loop_enter_moment(loop) -- outside of a turn, as whoever submits a request
      C.mp_loop_touch(loop)
      C.mp_loop_leave_moment(loop, entered)
      assert.equal(3, touched)
      assert.equal(25, C.mp_loop_wait_ms(loop))
      C.mp_timer_stop(timer)
      assert.equal(4, touched)
      assert.equal(-1, C.mp_loop_wait_ms(loop))
      C.mp_loop_on_touch(loop, nil, nil)
      touch:free()
      fire:free()
    end)
  end)
end)
