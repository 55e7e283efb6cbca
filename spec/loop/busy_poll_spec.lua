-- SPDX-License-Identifier: Apache-2.0
-- A loop that looks before it sleeps. Wishes are of a hundred seconds here, so a look that does not end with what it is
-- for would not come back.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local ports = require "spec.support.ports"

local LONG = 100000000
local at = loops.addr("127.0.0.1", ports.at(31))

describe("a loop that looks before it sleeps", function()
  local loop, wish
  before_each(function()
    loop = loops.uv(1)
    wish = ffi.new "struct mp_busy_poll"
    loop:keep(wish)
    loop:pass(1) -- libuv tells the kernel of new descriptors before it looks for the first time
  end)
  after_each(function()
    C.mp_loop_busy_poll(loop.handle, wish, 0)
    loop:close()
  end)

  local function looks() return tonumber(C.mp_loop_busy_looks(loop.handle)) end

  it("does so only when somebody wishes it, for the longest of the wishes", function()
    loop:pass(20)
    assert.equal(0, looks())
    local other = ffi.new "struct mp_busy_poll"
    C.mp_loop_busy_poll(loop.handle, wish, 50)
    C.mp_loop_busy_poll(loop.handle, other, LONG)
    assert.equal(LONG, C.mp_loop_busy_poll_us(loop.handle))
    C.mp_loop_busy_poll(loop.handle, wish, 70)
    C.mp_loop_busy_poll(loop.handle, other, 60)
    assert.equal(70, C.mp_loop_busy_poll_us(loop.handle))
    C.mp_loop_busy_poll(loop.handle, wish, 0)
    assert.equal(60, C.mp_loop_busy_poll_us(loop.handle))
    C.mp_loop_busy_poll(loop.handle, other, 0)
    C.mp_loop_busy_poll(loop.handle, other, 0)
    assert.equal(0, C.mp_loop_busy_poll_us(loop.handle))
    loop:pass(20)
    assert.equal(0, looks())
  end)

  it("ends it for a timer", function()
    C.mp_loop_busy_poll(loop.handle, wish, LONG)
    loop:pass(20)
    assert.is_true(looks() > 0)
  end)

  it("ends it for the limit of a turn", function()
    C.mp_loop_busy_poll(loop.handle, wish, LONG)
    local timer = loop:timer(function() end)
    loop:start(timer, 600000)
    loop:turn(5)
    assert.is_true(looks() > 0)
    C.mp_timer_stop(timer)
  end)

  it("ends it for an answer", function()
    local listener = assert(loop:listen(at, function()
      return { read = function(sock, text) sock:send(text) end }
    end))
    local answers = 0
    local client
    client = assert(loop:connect(at, { read = function(sock)
      answers = answers + 1
      if answers < 50 then sock:send "ping" end
    end }))
    loop:until_true(function() return client.connected and listener.accepted[1] end)
    C.mp_loop_busy_poll(loop.handle, wish, LONG)
    client:send "ping"
    local far = loop:timer(function() end)
    loop:start(far, 600000)
    loop:until_true(function() return answers == 50 end)
    assert.is_true(looks() > 0)
    C.mp_timer_stop(far)
    client:close()
    listener.accepted[1]:close()
    listener.close()
  end)

  it("does not hold up a turn that may not wait, or a task", function()
    C.mp_loop_busy_poll(loop.handle, wish, LONG)
    local timer = loop:timer(function() end)
    loop:start(timer, 600000)
    for _ = 1, 10 do loop:turn(0) end
    assert.equal(0, looks())
    local ran = 0
    local chain
    chain = loop:task(function()
      ran = ran + 1
      if ran < 10 then loop:post(chain, "flush") end
    end)
    loop:post(chain, "flush")
    loop:until_true(function() return ran == 10 end)
    C.mp_timer_stop(timer)
  end)

  it("leaves it to a host that waits for the loop", function()
    C.mp_loop_busy_poll(loop.handle, wish, LONG)
    C.mp_loop_on_touch(loop.handle, C.mp_free, nil) -- nothing, but not Lua, for C to call at any time
    local timer = loop:timer(function() end)
    loop:start(timer, 600000)
    loop:turn(0)
    loop:turn(1)
    assert.equal(0, looks())
    C.mp_timer_stop(timer)
    C.mp_loop_on_touch(loop.handle, nil, nil)
  end)
end)
