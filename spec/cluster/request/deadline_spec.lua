-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local sim_world = require "spec.support.sim_world"

local function id_of(deadline)
  return tonumber(ffi.cast("uintptr_t", ffi.cast("void *", deadline)))
end

describe("deadlines", function()
  local loop, set, fired

  before_each(function()
    loop = sim_world.loop(1)
    set = loop:keep(ffi.new "struct mp_deadlines")
    fired = {}
    C.mp_deadlines_init(set, loop.handle, loop:callback("void (*)(void *, struct mp_deadline *)",
      function(_, deadline)
        local id = id_of(deadline)
        fired[#fired + 1] = { id = id, at = loop:now_ms() }
        if loop.on_due then loop.on_due(deadline) end
      end), nil)
  end)

  after_each(function()
    C.mp_deadlines_deinit(set)
    loop:close()
  end)

  local function make()
    local deadline = loop:keep(ffi.new "struct mp_deadline")
    C.mp_deadline_init(set, deadline)
    return deadline
  end

  local function set_ms(deadline, ms) assert(C.mp_deadline_start(set, deadline, ms) == 0) end

  it("of one timeout expire in the order they were set, with one timer", function()
    local start, ids = loop:now_ms(), {}
    for i = 1, 100 do
      local deadline = make()
      ids[i] = id_of(deadline)
      set_ms(deadline, 500)
      if i % 10 == 0 then loop:pass(1) end
    end
    assert.equal(1, tonumber(loop:census().timers))
    loop:pass(600)
    assert.equal(100, #fired)
    for i, entry in ipairs(fired) do
      assert.equal(ids[i], entry.id)
      assert.is_true(math.abs(entry.at - start - 500 - math.floor((i - 1) / 10)) < 0.01)
    end
    assert.equal(0, tonumber(loop:census().timers))
  end)

  it("that are stopped do not expire", function()
    local a, b = make(), make()
    set_ms(a, 100)
    set_ms(b, 100)
    C.mp_deadline_stop(a)
    C.mp_deadline_stop(a)
    loop:pass(200)
    assert.equal(1, #fired)
    assert.is_true(fired[1].id == id_of(b))
  end)

  it("may be moved, to another timeout too", function()
    local start, a = loop:now_ms(), make()
    set_ms(a, 100)
    loop:pass(50)
    set_ms(a, 200)
    loop:pass(150)
    set_ms(a, 100)
    loop:pass(500)
    assert.equal(1, #fired)
    assert.is_true(math.abs(fired[1].at - start - 300) < 0.01)
  end)

  it("of any number of timeouts are all kept", function()
    local start, wanted = loop:now_ms(), {}
    for i = 1, 200 do
      local ms = 10 + (i * 7919) % 977
      local deadline = make()
      wanted[id_of(deadline)] = ms
      set_ms(deadline, ms)
    end
    assert.is_true(set.odd.entries.count > 100)
    loop:pass(1000)
    assert.equal(200, #fired)
    for _, entry in ipairs(fired) do assert.is_true(math.abs(entry.at - start - wanted[entry.id]) < 0.01) end
  end)

  it("give a queue that is empty to another timeout", function()
    for ms = 1, 100 do
      local deadline = make()
      set_ms(deadline, ms)
      assert.equal(0, tonumber(set.odd.entries.count))
      C.mp_deadline_stop(deadline)
    end
    loop:pass(200)
    assert.equal(0, #fired)
  end)

  it("do not wait for a timer that their queue had before", function()
    local start, long = loop:now_ms(), make()
    for i = 1, 12 do set_ms(long, 10000 + i) end
    C.mp_deadline_stop(long)
    set_ms(make(), 20)
    loop:pass(100)
    assert.equal(1, #fired)
    assert.is_true(math.abs(fired[1].at - start - 20) < 0.01)
  end)

  it("at a point in time that is over expire at once, but later", function()
    local deadline = make()
    assert(C.mp_deadline_start_at(set, deadline, 0) == 0)
    assert.equal(0, #fired)
    loop:pass(0.001)
    assert.equal(1, #fired)
  end)

  it("may be set and stopped while they expire", function()
    local list = {}
    for i = 1, 20 do
      list[i] = make()
      set_ms(list[i], 50)
    end
    local rounds = 0
    loop.on_due = function(deadline)
      rounds = rounds + 1
      if rounds > 60 then return end
      C.mp_deadline_stop(list[20])
      C.mp_deadline_stop(list[(rounds * 7) % 20 + 1])
      set_ms(deadline, rounds % 3 == 0 and 50 or 20)
    end
    loop:pass(5000)
    assert.is_true(#fired > 60)
    assert.equal(0, tonumber(loop:census().timers))
  end)
end)
