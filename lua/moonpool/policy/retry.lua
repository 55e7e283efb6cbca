-- SPDX-License-Identifier: Apache-2.0
-- Retry policies: after this error, again, where, or give up. `decide(err, req, options, child)` returns a verdict, a
-- delay and the consistency of the next attempt.
local ffi = require "ffi"
local objects = require "moonpool.policy.objects"

ffi.cdef [[
struct mp_script_err {
  const int32_t code, localError;
  const uint16_t attempt, consistency;
  const int32_t required, received;
  const uint8_t writeType;
  const bool dataPresent, idempotent, isRead, isLwt;
};
]]

local retry = { entry = "decide" }

-- The function that hands a verdict to C.
local function giver(bridge)
  local context = ffi.cast("void *", bridge.context)
  local verdict_to = ffi.cast("int (*)(void *, int, double)", bridge.verdict)
  local lower_to = ffi.cast("int (*)(void *, double)", bridge.lower)
  return function(verdict, delay, consistency)
    if consistency ~= nil and (type(consistency) ~= "number" or lower_to(context, consistency) ~= 0) then
      error("decide: the third result is the consistency of the next attempt (ONE, QUORUM, ...)", 0)
    end
    if type(verdict) ~= "number" or type(delay or 0) ~= "number" or verdict_to(context, verdict, delay or 0) ~= 0 then
      error(string.format("decide must return giveUp, sameHost or nextHost, and may add a delay in ms; got %s, %s",
        objects.show(verdict), objects.show(delay)), 0)
    end
  end
end

-- A policy asks its child by calling what it gets as the fourth argument.
function retry.driver(chain, _, bridge)
  local below
  for i = #chain, 2, -1 do
    local decide, options, child = chain[i].policy.decide, chain[i].options, below
    below = function(err, req) return decide(err, req, options, child) end
  end
  local give_verdict = giver(bridge)
  local err = objects.reference("struct mp_script_err", bridge.err, "an error")
  local decide, options, child = chain[1].policy.decide, chain[1].options, below
  local function drive()
    local verdict, delay, consistency = decide(err, err, options, child)
    give_verdict(verdict, delay, consistency)
    return drive
  end
  return drive
end

return retry
