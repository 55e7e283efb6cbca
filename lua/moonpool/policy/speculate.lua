-- SPDX-License-Identifier: Apache-2.0
-- Speculative execution policies: when another copy of a slow request goes. `after(req, sent, options, child)` returns
-- milliseconds, or nothing.
local ffi = require "ffi"
local objects = require "moonpool.policy.objects"

ffi.cdef [[
struct mp_script_copy { const uint32_t sent; };
]]

local MINIMUM_SAMPLES = 100

local speculate = { entry = "after" }

function speculate.words(made, bridge)
  local context, BAD_LATENCY = ffi.cast("void *", bridge.context), bridge.codes.BAD_LATENCY
  local latency_of = ffi.cast("double (*)(void *, double, double)", bridge.latency)
  function made.words.latency(quantile, samples)
    local ms = BAD_LATENCY
    if type(quantile) == "number" and type(samples or 1) == "number" then
      ms = latency_of(context, quantile, samples or MINIMUM_SAMPLES)
    end
    if ms == BAD_LATENCY then
      error("latency: takes a part of the requests (more than 0, less than 1: 0.99), and may take how many samples "
        .. "there must be (1 or more)", 2)
    end
    if ms >= 0 then return ms end
  end
end

function speculate.driver(chain, made, bridge)
  local context, DELAY_MAX = ffi.cast("void *", bridge.context), bridge.codes.DELAY_MAX
  local after_to = ffi.cast("int (*)(void *, double)", bridge.after)
  local copy = objects.reference("struct mp_script_copy", bridge.copy, "a copy")
  local req = made.req
  local below
  for i = #chain, 2, -1 do
    local after, options, child = chain[i].policy.after, chain[i].options, below
    below = function(again, sent) return after(again, sent, options, child) end
  end
  local after, options, child = chain[1].policy.after, chain[1].options, below
  local function drive()
    local ms = after(req, copy.sent, options, child)
    if ms ~= nil and (type(ms) ~= "number" or after_to(context, ms) ~= 0) then
      error(string.format("after must return milliseconds, 0 to %d, or nothing for no copy; got %s", DELAY_MAX,
        objects.show(ms)), 0)
    end
    return drive
  end
  return drive
end

return speculate
