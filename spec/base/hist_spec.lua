-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

describe("a histogram", function()
  local hist
  before_each(function()
    hist = ffi.new "struct mp_hist"
    C.mp_hist_reset(hist)
  end)

  local function quantile(q) return C.mp_hist_quantile(hist, q) end

  it("of nothing is zero", function()
    assert.is_true(quantile(0.5) == 0 and C.mp_hist_mean(hist) == 0)
  end)

  it("is exact below 32", function()
    for value = 0, 31 do C.mp_hist_add(hist, value) end
    for rank = 1, 32 do assert.equal(rank - 1, tonumber(quantile(rank / 32))) end
    assert.equal(0, tonumber(quantile(0)))
    assert.equal(15.5, C.mp_hist_mean(hist))
    assert.equal(31, tonumber(hist.max))
  end)

  it("is at most 6.25 % above a value, for values of every size", function()
    local value = 1ULL
    for _ = 1, 64 do
      for _, sample in ipairs { value, value + value / 3, value + (value - 1) } do
        C.mp_hist_reset(hist)
        C.mp_hist_add(hist, sample)
        C.mp_hist_add(hist, 0xffffffffffffffffULL)
        local edge = quantile(0.5)
        assert.is_true(edge >= sample and edge - sample <= sample / 16)
      end
      value = value * 2
    end
  end)

  it("agrees with sorting", function()
    local rand, all = bytes.rand(2), {}
    for i = 1, 5000 do
      all[i] = rand(0, 2 ^ rand(1, 30))
      C.mp_hist_add(hist, all[i])
    end
    table.sort(all)
    for _, q in ipairs { 0.01, 0.5, 0.9, 0.99, 0.999, 1 } do
      local exact, estimate = all[math.ceil(q * 5000)], tonumber(quantile(q))
      assert.is_true(estimate >= exact and estimate <= exact * 1.0625)
    end
    assert.equal(all[5000], tonumber(quantile(1)))
  end)
end)
