-- SPDX-License-Identifier: Apache-2.0
-- Those who wait for connect or close: any number, told in their order, once, also when they ask again meanwhile.
local C = require "spec.support.c"
local ffi = require "ffi"

describe("waiters", function()
  local waiters, told, on_done, on_error, callbacks

  before_each(function()
    waiters, told, callbacks = ffi.new "struct mp_waiters", {}, {}
    on_done = ffi.cast("void (*)(void *)", function(data)
      told[#told + 1] = tonumber(ffi.cast("uintptr_t", data))
    end)
    on_error = ffi.cast("void (*)(void *, const struct mp_error *)", function(data, err)
      told[#told + 1] = { tonumber(ffi.cast("uintptr_t", data)), err ~= nil and ffi.string(err.message) or false }
    end)
    callbacks = { on_done, on_error }
  end)

  after_each(function()
    C.mp_waiters_deinit(waiters)
    for _, callback in ipairs(callbacks) do callback:free() end
  end)

  local function add(i, kind)
    local waiter = ffi.new "struct mp_waiter"
    waiter[kind or "on_done"] = kind == "on_error" and on_error or on_done
    waiter.data = ffi.cast("void *", i)
    return C.mp_waiters_add(waiters, waiter)
  end

  it("are told in the order in which they came, however many", function()
    for count = 0, 60, 7 do
      told = {}
      local expected = {}
      for i = 1, count do
        assert.equal(0, add(i))
        expected[i] = i
      end
      C.mp_waiters_tell(waiters, nil)
      assert.same(expected, told)
      assert.equal(0, tonumber(waiters.count))
    end
  end)

  it("hear why, or that it succeeded", function()
    local err = ffi.new "struct mp_error"
    ffi.copy(err.message, "because")
    add(1, "on_error")
    C.mp_waiters_tell(waiters, err)
    add(2, "on_error")
    C.mp_waiters_tell(waiters, nil)
    assert.same({ { 1, "because" }, { 2, false } }, told)
  end)

  it("that come while others are told wait for the next time", function()
    local again = ffi.cast("void (*)(void *)", function()
      told[#told + 1] = "again"
      assert(add(7) == 0)
    end)
    callbacks[3] = again
    local waiter = ffi.new "struct mp_waiter"
    waiter.on_done = again
    assert.equal(0, C.mp_waiters_add(waiters, waiter))
    C.mp_waiters_tell(waiters, nil)
    assert.same({ "again" }, told)
    C.mp_waiters_tell(waiters, nil)
    assert.same({ "again", 7 }, told)
  end)

  it("beyond the first few need memory, and are refused without", function()
    for i = 1, 8 do assert.equal(0, add(i)) end
    C.mp_mem_fail_at(1, false)
    assert.equal(C.MP_ENOMEM, add(9))
    C.mp_mem_fail_at(0, false)
    assert.equal(0, add(10))
    C.mp_waiters_tell(waiters, nil)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 10 }, told)
  end)
end)
