-- SPDX-License-Identifier: Apache-2.0
-- The fuel gauge of policies (runtime/policy/gauge/fuel.h) for specs.
local ffi = require "ffi"
local C = require "spec.support.c"

local file = assert(io.open(MOONPOOL_ROOT .. "/runtime/policy/gauge/fuel.h"))
ffi.cdef((file:read "*a":gsub("//[^\n]*", ""):gsub("#[^\n]*", ""):gsub("MP_MUST_CHECK", "")))
file:close()

local gauge = {}

-- The text with its ticks and the line of its first loop, or nil and "LINE: why".
function gauge.inject(text)
  local fuel = ffi.new "struct mp_fuel_text"
  C.mp_fuel_init(fuel)
  local rc = C.mp_fuel_inject(fuel, text, #text)
  local out = rc == 0 and ffi.string(fuel.text.data, fuel.text.len) or nil
  local about = out and fuel.loop_line > 0 and fuel.loop_line
    or not out and ("%d: %s"):format(fuel.wrong_line, ffi.string(fuel.why)) or nil
  C.mp_fuel_deinit(fuel)
  return out, about
end

-- With <T> for a tick, <T3> for one of three, <( )> around what is fitted, nothing around keys; `plain`: without any of
-- them.
function gauge.show(text, plain)
  text = text:gsub(" __mp_fuel=__mp_fuel%-(%d+) if __mp_fuel<0 then __mp_fuel=__mp_more%(%)end ",
    function(ticks) return plain and "" or ticks == "1" and "<T>" or "<T" .. ticks .. ">" end)
  local count
  repeat
    text, count = text:gsub(" __mp_key(%b())", function(inner) return inner:sub(2, -2) end)
  until count == 0
  repeat
    text, count = text:gsub(" __mp_fit(%b())",
      function(inner) return plain and inner:sub(2, -2) or "<" .. inner .. ">" end)
  until count == 0
  return text
end

-- The text as it is run, with `more` for the refill (nil: there is always more) and `globals` for its world.
function gauge.load(text, more, globals, name)
  local out, why = gauge.inject(text)
  if not out then return nil, why end
  local chunk, wrong = loadstring("local __mp_more,__mp_fit,__mp_key=__mp_more,__mp_fit,__mp_key local __mp_fuel=0 " ..
    out, name)
  if not chunk then return nil, wrong end
  local function as_it_is(value) return value end
  local world = { __mp_more = more or function() return 1000 end, __mp_fit = as_it_is, __mp_key = as_it_is }
  return setfenv(chunk, setmetatable(world, { __index = globals, __newindex = globals }))
end

return gauge
