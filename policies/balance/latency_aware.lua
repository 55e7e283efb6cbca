-- SPDX-License-Identifier: Apache-2.0
-- Whatever the child policy says, but slow nodes last. A node is slow when its mean latency is more than
-- `exclusionThreshold` times that of the fastest one, and more than `minimumLatency`. A slow node is not asked, so
-- nobody learns that it has recovered: after `retryPeriod` it has another chance, and its first answer decides.
return balance {
  name = "LatencyAwarePolicy",
  options = {
    childPolicy = "TokenAwarePolicy",
    exclusionThreshold = 2,
    retryPeriod = 10000, -- ms
    minimumLatency = 2, -- ms: below this nobody is slow
  },
  check = function(options)
    if options.exclusionThreshold < 1 then
      error("exclusionThreshold: got " .. options.exclusionThreshold .. "; must be 1 or more")
    end
    if options.retryPeriod < 0 then error("retryPeriod: got " .. options.retryPeriod .. "; must be 0 ms or more") end
    if options.minimumLatency < 0 then
      error("minimumLatency: got " .. options.minimumLatency .. "; must be 0 ms or more")
    end
  end,
  plan = function(plan, req, options)
    plan:avoidSlow(options.exclusionThreshold, options.retryPeriod, options.minimumLatency)
    plan:child(req)
    plan:allowAll()
    plan:child(req)
  end,
}
