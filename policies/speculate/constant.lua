-- SPDX-License-Identifier: Apache-2.0
-- Another copy after a fixed time. Choose one that few requests need: the slowest of a hundred, not every second.
return speculate {
  name = "ConstantSpeculativeExecutionPolicy",
  options = {
    delay = 100, -- ms from the last copy
    maxSpeculativeExecutions = 1,
  },
  check = function(options)
    local delay, most = options.delay, options.maxSpeculativeExecutions
    if not (delay >= 0 and delay <= 3600000) then error("delay: got " .. delay .. "; must be 0 to 3600000 ms") end
    if not (most >= 1 and most <= 3) then error("maxSpeculativeExecutions: got " .. most .. "; must be 1 to 3") end
  end,
  after = function(req, sent, options)
    if sent <= options.maxSpeculativeExecutions then return options.delay end
  end,
}
