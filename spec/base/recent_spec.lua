-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("what a histogram gained lately", function()
  local recent, hist, now
  before_each(function()
    recent, hist, now = ffi.new "struct mp_recent", ffi.new "struct mp_hist", 5000
  end)

  local function quantile(q, least)
    local value = ffi.new "uint64_t[1]"
    if not C.mp_recent_quantile(recent, hist, now, q, least or 1, value) then return nil end
    return tonumber(value[0])
  end
  local function add(value, times) for _ = 1, times do C.mp_hist_add(hist, value) end end

  it("is nothing before there is enough", function()
    assert.is_nil(quantile(0.5, 0))
    add(10, 99)
    now = now + 1000
    assert.is_nil(quantile(0.5, 100))
    assert.equal(10, quantile(0.5, 99))
  end)

  it("is looked at once a second, each quantile for itself", function()
    add(10, 10)
    assert.equal(10, quantile(0.5))
    add(15, 90)
    now = now + 999
    assert.equal(10, quantile(0.5))
    assert.equal(15, quantile(0.6))
    now = now + 1
    assert.equal(15, quantile(0.5))
  end)

  it("forgets what is older than two spans, and keeps one", function()
    add(15, 1000)
    assert.equal(15, quantile(0.5))
    for second = 1, 60 do
      now = now + 1000
      add(3, 20)
      local got = quantile(0.99)
      -- 1000 slow ones are the upper part of everything while they are in the window.
      if second < 10 then assert.equal(15, got) end
      if second > 20 then assert.equal(3, got) end
    end
    assert.is_nil(quantile(0.99, 401)) -- at most two spans of 20 a second
    assert.equal(3, quantile(0.99, 200))
  end)

  it("asks for many quantiles at once, and forgets the oldest of them", function()
    for value = 1, 10 do add(value, 10) end
    for round = 1, 3 do
      for i = 1, 10 do assert.equal(i, quantile(i / 10), "round " .. round) end
    end
  end)
end)
