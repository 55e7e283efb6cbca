-- SPDX-License-Identifier: Apache-2.0
-- After each failure up to twice as long, by chance: a thousand clients of a node that comes back spread over the whole
-- time, and none of them knocks more often than once in half of the base delay.
return reconnect {
  name = "ExponentialReconnectionPolicy",
  options = {
    baseDelay = 1000, -- ms
    maxDelay = 60000,
  },
  check = function(options)
    if options.baseDelay < 1 then error("baseDelay: got " .. options.baseDelay .. "; must be 1 ms or more") end
    if options.maxDelay < options.baseDelay then
      error("maxDelay: got " .. options.maxDelay .. "; must be at least baseDelay, " .. options.baseDelay)
    end
    if options.maxDelay > 86400000 then error("maxDelay: got " .. options.maxDelay .. "; at most a day, 86400000") end
  end,
  delay = function(try, options)
    local most = math.min(options.maxDelay, options.baseDelay * 2 ^ (try.attempt - 1))
    return random(options.baseDelay / 2, most)
  end,
}
