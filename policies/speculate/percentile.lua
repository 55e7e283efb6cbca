-- SPDX-License-Identifier: Apache-2.0
-- Another copy of those requests that take longer than almost all did lately: so it follows the cluster, and the part
-- of requests that are sent twice stays the same whether the cluster is fast or slow. None before enough is measured.
return speculate {
  name = "PercentileSpeculativeExecutionPolicy",
  options = {
    percentile = 99,
    maxSpeculativeExecutions = 1,
    minimumSamples = 100,
  },
  check = function(options)
    local percentile, most, samples = options.percentile, options.maxSpeculativeExecutions, options.minimumSamples
    if not (percentile > 0 and percentile < 100) then
      error("percentile: got " .. percentile .. "; must be more than 0 and less than 100")
    end
    if not (most >= 1 and most <= 3) then error("maxSpeculativeExecutions: got " .. most .. "; must be 1 to 3") end
    if not (samples >= 1 and samples <= 1e9) then error("minimumSamples: got " .. samples .. "; must be 1 or more") end
  end,
  after = function(req, sent, options)
    if sent <= options.maxSpeculativeExecutions then
      return latency(options.percentile / 100, options.minimumSamples)
    end
  end,
}
