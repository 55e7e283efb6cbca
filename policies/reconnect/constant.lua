-- SPDX-License-Identifier: Apache-2.0
-- Always after the same time. For few clients: many of them would come back at the same moment.
return reconnect {
  name = "ConstantReconnectionPolicy",
  options = {
    delay = 1000, -- ms
  },
  check = function(options)
    local delay = options.delay
    if delay < 0 or delay > 86400000 then error("delay: got " .. delay .. "; must be 0 to 86400000 ms") end
  end,
  delay = function(_, options)
    return options.delay
  end,
}
