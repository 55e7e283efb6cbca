-- SPDX-License-Identifier: Apache-2.0
-- Reconnect policies: when to try a host again. `delay(try, options, child)` returns milliseconds.
local ffi = require "ffi"
local objects = require "moonpool.policy.objects"

ffi.cdef [[
struct mp_script_try {
  const uint32_t attempt;
  const uint8_t why;
  const bool isLocal;
};
]]

local reconnect = { entry = "delay" }

function reconnect.driver(chain, _, bridge)
  local context, DELAY_MAX = ffi.cast("void *", bridge.context), bridge.codes.DELAY_MAX
  local delay_to = ffi.cast("int (*)(void *, double)", bridge.delay)
  local try = objects.reference("struct mp_script_try", bridge.try, "a try")
  local below
  for i = #chain, 2, -1 do
    local delay, options, child = chain[i].policy.delay, chain[i].options, below
    below = function(again) return delay(again, options, child) end
  end
  local delay, options, child = chain[1].policy.delay, chain[1].options, below
  local function drive()
    local ms = delay(try, options, child)
    if type(ms) ~= "number" or delay_to(context, ms) ~= 0 then
      error(string.format("delay must return milliseconds, 0 to %d; got %s", DELAY_MAX, objects.show(ms)), 0)
    end
    return drive
  end
  return drive
end

return reconnect
