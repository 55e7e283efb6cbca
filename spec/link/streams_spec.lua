-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local breaks = require "spec.support.faults.breaks"

describe("the stream ids of a connection", function()
  local streams, calls, found
  local before = ffi.cast("struct mp_call *", 8)

  local function open(limit)
    streams = ffi.new "struct mp_streams"
    assert.equal(0, C.mp_streams_init(streams, limit))
    calls = ffi.new("struct mp_call[?]", limit)
  end

  local function answer(id)
    found = ffi.new("struct mp_call *[1]", { before }) -- which goes
    return C.mp_streams_answer(streams, id, found)
  end

  after_each(function() C.mp_streams_deinit(streams) end)

  it("are given from zero upwards, each once", function()
    open(200)
    for id = 0, 199 do assert(C.mp_streams_take(streams, calls + id) == id) end
    assert.equal(200, streams.in_use)
    assert.equal(C.MP_EBUSY, C.mp_streams_take(streams, calls))
  end)

  it("number exactly as many as allowed, up to 32768", function()
    for _, limit in ipairs { 1, 2, 63, 64, 65, 128, 1000, 32768 } do
      open(limit)
      for id = 0, limit - 1 do assert(C.mp_streams_take(streams, calls + id) == id) end
      assert.equal(C.MP_EBUSY, C.mp_streams_take(streams, calls))
      for id = 0, limit - 1 do assert(answer(id) == 1) end
      assert.equal(0, streams.in_use)
      if limit < 32768 then C.mp_streams_deinit(streams) end
    end
  end)

  it("lead an answer to its call, once", function()
    open(64)
    local id = C.mp_streams_take(streams, calls + 5)
    assert.equal(1, answer(id))
    assert.equal(calls + 5, found[0])
    assert.equal(C.MP_EPROTO, answer(id))
    assert(found[0] == nil)
  end)

  it("report an answer that nobody asked for", function()
    open(10)
    assert.equal(C.MP_EPROTO, answer(0))
    assert.equal(C.MP_EPROTO, answer(9))
    assert.equal(C.MP_EPROTO, answer(10))
    assert.equal(C.MP_EPROTO, answer(32767))
    assert.equal(C.MP_EPROTO, answer(-1))
    assert.equal(C.MP_EPROTO, answer(-32768))
  end)

  it("stay taken as orphans until their answer comes", function()
    open(2)
    assert.equal(0, C.mp_streams_take(streams, calls))
    assert.equal(1, C.mp_streams_take(streams, calls + 1))
    C.mp_streams_orphan(streams, 0)
    assert.equal(1, streams.orphans)
    assert.equal(C.MP_EBUSY, C.mp_streams_take(streams, calls))
    assert.equal(0, answer(0))
    assert.equal(0, streams.orphans)
    assert.equal(1, streams.in_use)
    assert.equal(0, C.mp_streams_take(streams, calls))
  end)

  it("keep their counts over a long random life", function()
    open(300)
    math.randomseed(11)
    local state, taken, orphans = {}, 0, 0
    for step = 1, 20000 do
      local dice = math.random(3)
      local id = math.random(0, 299)
      if dice == 1 then
        local got = C.mp_streams_take(streams, calls + step % 300)
        if taken == 300 then
          assert(got == C.MP_EBUSY)
        else
          assert(state[got] == nil)
          state[got], taken = { call = calls + step % 300 }, taken + 1
        end
      elseif dice == 2 then
        local expected = state[id] == nil and C.MP_EPROTO or state[id].call and 1 or 0
        assert(answer(id) == expected)
        if expected == 1 then assert(found[0] == state[id].call) end
        if expected >= 0 then
          taken = taken - 1
          orphans = orphans - (expected == 0 and 1 or 0)
          state[id] = nil
        end
      elseif state[id] and state[id].call then
        C.mp_streams_orphan(streams, id)
        state[id].call, orphans = nil, orphans + 1
      end
      assert(streams.in_use == taken and streams.orphans == orphans)
    end
  end)

  it("survive the lack of memory", function()
    streams = ffi.new "struct mp_streams"
    for nth = 1, 2 do
      C.mp_mem_fail_at(nth, false)
      assert.equal(C.MP_ENOMEM, C.mp_streams_init(streams, 100))
    end
    C.mp_mem_fail_at(0, false)
  end)

  it("have room for as many as were taken at once, up to twice that, and not for all that may be", function()
    open(32768)
    local most = 0
    for _, count in ipairs { 1, 64, 65, 500, 3, 129, 2000 } do
      most = math.max(most, count)
      for id = 0, count - 1 do assert(C.mp_streams_take(streams, calls + id) == id) end
      assert.is_true(streams.capacity >= most and streams.capacity < math.max(65, 2 * most), streams.capacity)
      for id = 0, count - 1 do assert(answer(id) == 1 and found[0] == calls + id) end
    end
    local stats = C.mp_mem_stats()
    for id = 0, 1999 do assert(C.mp_streams_take(streams, calls + id) == id) end
    assert.equal(stats.allocs, C.mp_mem_stats().allocs)
  end)

  it("are looked for where one may be free", function()
    open(32768)
    for id = 0, 6399 do assert(C.mp_streams_take(streams, calls + id) == id) end
    assert.equal(99, streams.hint)
    assert.equal(1, answer(700))
    assert.equal(10, streams.hint)
    assert.equal(700, C.mp_streams_take(streams, calls))
    assert.equal(6400, C.mp_streams_take(streams, calls))
    assert.equal(100, streams.hint)
  end)

  it("have no room beyond the limit", function()
    for _, limit in ipairs { 1, 10, 64, 65, 100, 200 } do
      open(limit)
      for id = 0, limit - 1 do assert(C.mp_streams_take(streams, calls + id) == id) end
      assert.equal(limit, streams.capacity)
      if limit < 200 then C.mp_streams_deinit(streams) end
    end
  end)

  it("are no place for mistakes: what cannot be ends the process", function()
    open(100)
    assert.is_true(breaks(C.mp_streams_init, streams, 0) and breaks(C.mp_streams_init, streams, 32769))
    assert.is_true(breaks(C.mp_streams_take, streams, nil))
    for _, id in ipairs { -1, 0, 63, 64, 100 } do assert.is_true(breaks(C.mp_streams_orphan, streams, id), id) end
    assert.equal(0, C.mp_streams_take(streams, calls))
    assert.is_false(breaks(C.mp_streams_orphan, streams, 0))
    C.mp_streams_orphan(streams, 0)
    assert.is_true(breaks(C.mp_streams_orphan, streams, 0))
    streams.orphans = 0
    assert.is_true(breaks(answer, 0))
    streams.orphans, streams.in_use = 1, 0
    assert.is_true(breaks(answer, 0))
    streams.in_use = 1
    streams.calls[1] = calls -- somebody's, whose id is free
    assert.is_true(breaks(C.mp_streams_take, streams, calls))
    streams.calls[1], streams.limit = nil, 1
    assert.equal(C.MP_EBUSY, C.mp_streams_take(streams, calls))
    streams.in_use = 0 -- of an id beyond the limit
    assert.is_true(breaks(C.mp_streams_take, streams, calls))
  end)

  it("go on with what there is when there is no memory for more", function()
    open(200)
    for id = 0, 63 do assert(C.mp_streams_take(streams, calls + id) == id) end
    for nth = 1, 2 do
      C.mp_mem_fail_at(nth, false)
      assert.equal(C.MP_ENOMEM, C.mp_streams_take(streams, calls))
      C.mp_mem_fail_at(0, false)
      assert.equal(64, streams.in_use)
      assert.equal(1, answer(7))
      assert.equal(7, C.mp_streams_take(streams, calls + 7))
    end
    for id = 64, 199 do assert(C.mp_streams_take(streams, calls + id) == id) end
    assert.equal(C.MP_EBUSY, C.mp_streams_take(streams, calls))
    for id = 199, 0, -1 do assert(answer(id) == 1 and found[0] == calls + id) end
  end)
end)
