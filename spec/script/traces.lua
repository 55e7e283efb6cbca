-- SPDX-License-Identifier: Apache-2.0
-- What keeps LuaJIT's compiler from going on behind a wait. For programs and workers that specs start, who load it with
-- dofile(): here it would not be compiled itself.
--
--   local ended = dofile(path)(fn, 400)   -- the places where a trace ended because it came back to a lower frame
-- That is what compiled code does behind a tail call (jit.v: "NYI: return to lower frame"): all of a request then runs
-- interpreted.
local vmdef = require "jit.vmdef"

local LOWER
for code, text in pairs(vmdef.traceerr) do
  if text == "NYI: return to lower frame" then LOWER = code end
end
assert(LOWER, "this LuaJIT has another word for it")

return function(fn, times)
  local ended, stopped = {}, 0
  local function on(what, _, func, pc, code)
    if what == "stop" then stopped = stopped + 1 end
    if what ~= "abort" or code ~= LOWER then return end
    local info = require("jit.util").funcinfo(func, pc)
    ended[#ended + 1] = (info.source or "?") .. ":" .. (info.currentline or 0)
  end
  jit.flush()
  jit.attach(on, "trace")
  for i = 1, times do fn(i) end
  jit.attach(on)
  assert(stopped > 0, "nothing was compiled")
  return table.concat(ended, ", ")
end
