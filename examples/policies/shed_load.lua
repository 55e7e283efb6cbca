-- SPDX-License-Identifier: Apache-2.0
-- Requests that are tagged "batch" can wait: when the hosts of the local datacentre have more than `limit` requests in
-- flight each, on average, they are refused at once (POOL_BUSY), and the users' requests keep their latency.
local function meanInFlight()
  local sum, count = 0, 0
  for _, host in hosts(localDc) do
    sum, count = sum + host.inFlight, count + 1
  end
  return count > 0 and sum / count or 0
end

return balance {
  name = "ShedLoad",
  options = { limit = 100, childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req, options)
    if req.tag == tags.batch and meanInFlight() > options.limit then return plan:refuse() end
    plan:child(req)
  end,
}
