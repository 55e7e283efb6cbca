-- SPDX-License-Identifier: Apache-2.0
-- Runs what stands in a configuration or handlers file: full Lua, but on the loop that carries the traffic, so a file
-- that does not come to its end is stopped.
local LIMIT_S = 0.5 -- of processor time
local LOOK_EVERY = 10000 -- instructions

local own = debug.getinfo(1, "S").source

-- xpcall(fn, handler, ...) that ends. Functions that `fn` creates are interpreted, because machine code is not counted.
return function(fn, handler, ...)
  local deadline = os.clock() + LIMIT_S
  local hook, mask, count = debug.gethook()
  jit.off(fn, true)
  local function look()
    if os.clock() <= deadline or debug.getinfo(2, "S").source == own then return end
    debug.sethook(look, "", 1) -- also behind a pcall that catches this
    error("it did not come to its end within 500 ms", 2)
  end
  debug.sethook(look, "", LOOK_EVERY)
  local function leave(...)
    debug.sethook(hook, mask, count)
    return ...
  end
  return leave(xpcall(fn, handler, ...))
end
