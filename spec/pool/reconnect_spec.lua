-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("the backoff", function()
  local function draws(base, max, attempts, seed)
    local rand, reconnect = ffi.new "struct mp_rand", ffi.new "struct mp_reconnect"
    C.mp_rand_seed(rand, seed)
    reconnect.base_ms, reconnect.max_ms = base, max
    local out = {}
    for i = 1, attempts do out[i] = C.mp_reconnect_next_ms(reconnect, rand) end
    return out, reconnect
  end

  it("stays within half of the base and the doubled base, up to the maximum", function()
    for seed = 1, 300 do
      for i, delay in ipairs(draws(100, 5000, 40, seed)) do
        assert(delay >= 50 and delay <= math.min(5000, 100 * 2 ^ (i - 1)), "attempt " .. i .. ": " .. delay)
      end
    end
  end)

  it("uses the whole window", function()
    local low, high, buckets = 0, 0, {}
    for seed = 1, 2000 do
      local delay = draws(100, 5000, 12, seed)[12]
      if delay < 600 then low = low + 1 end
      if delay > 4500 then high = high + 1 end
      local bucket = math.floor((delay - 50) / 495)
      buckets[bucket] = (buckets[bucket] or 0) + 1
    end
    assert.is_true(low > 120 and high > 120)
    for bucket = 0, 9 do assert.is_true(buckets[bucket] > 120, bucket) end
  end)

  it("spreads clients that fail together", function()
    local seen, distinct = {}, 0
    for seed = 1, 100 do
      local delay = draws(1000, 60000, 7, seed)[7]
      if not seen[delay] then distinct = distinct + 1 end
      seen[delay] = true
    end
    assert.is_true(distinct > 95)
  end)

  it("starts anew after a success", function()
    local _, reconnect = draws(100, 5000, 20, 1)
    C.mp_reconnect_reset(reconnect)
    local rand = ffi.new "struct mp_rand"
    C.mp_rand_seed(rand, 2)
    assert.is_true(C.mp_reconnect_next_ms(reconnect, rand) <= 100)
  end)

  it("does not overflow, whatever it is given", function()
    for _, base in ipairs { 1, 2 ^ 31, 2 ^ 32 - 1 } do
      for _, max in ipairs { 0, 1, 2 ^ 32 - 1 } do
        local high = math.max(math.floor(base / 2), math.min(max, 2 ^ 32 - 1))
        for _, delay in ipairs(draws(base, max, 100, 3)) do
          assert(delay >= math.floor(base / 2) and delay <= high)
        end
      end
    end
  end)
end)
