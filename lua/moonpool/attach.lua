-- SPDX-License-Identifier: Apache-2.0
-- moonpool in a program whose event loop is luv's: moonpool's own loop is turned by it. Its descriptor is watched,
-- level triggered, and before each wait of luv's its nearest deadline is asked for: what ran since may have brought it
-- nearer. luv's loop stays alive for as long as anything of the application's waits in moonpool.
local core = require "moonpool.core_loader"

local attached

return function(uv)
  if attached then error("moonpool.attach: moonpool is attached already", 3) end
  if type(uv) ~= "table" or type(uv.new_poll) ~= "function" or type(uv.new_prepare) ~= "function" then
    error("bad argument #1 to 'attach' (luv, as require \"luv\" gives it, expected)", 3)
  end
  attached = uv
  local poll, timer, prepare = assert(uv.new_poll(core.fd())), uv.new_timer(), uv.new_prepare()

  local function turn()
    local waits = core.turn()
    for _, handle in ipairs { poll, prepare } do
      if waits then uv.ref(handle) else uv.unref(handle) end
    end
  end

  -- What was begun outside of a turn leaves before luv sleeps. The first turn says whether there is anything.
  local fresh = true
  local function arm()
    local ms = core.timeout()
    if ms == 0 or fresh then
      fresh = false
      turn()
      ms = core.timeout()
    end
    if ms then timer:start(ms, 0, turn) else timer:stop() end
  end

  poll:start("r", turn)
  prepare:start(arm)
  uv.unref(timer)
end
