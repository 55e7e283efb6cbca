-- SPDX-License-Identifier: Apache-2.0
-- A host that answers much slower than its peers for half a minute is taken out for a while. It comes back on
-- probation, with a tenth of the traffic, and stays when it is as fast as the others again.
local TIMES = 5 -- slower than the median of the others
local ENOUGH = 5 -- requests per second, so that a latency means something

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

-- The slowest host that is too slow, or nil.
local function slow(pool)
  local hosts, worst = pool:getMetrics().hosts, nil
  for _, host in ipairs(hosts) do
    local others = {}
    for _, other in ipairs(hosts) do
      if other ~= host and other.datacenter == host.datacenter and other.requestsPerSecond > 0 then
        others[#others + 1] = other.latencyP50
      end
    end
    local busy = host.status == "up" and host.requestsPerSecond >= ENOUGH and #others >= 2
    if busy and host.latencyP50 > TIMES * median(others) and (not worst or host.latencyP50 > worst.latencyP50) then
      worst = host
    end
  end
  return worst and worst.address
end

return playbook {
  name = "slowHost",
  when = { condition = function(pool) return slow(pool) ~= nil end, lasting = "30s" },
  timeout = "1h", coolDown = "2m", atMost = { 5, per = "1h" },

  run = function(run)
    local host = slow(run.pool)
    if not host then return end
    run:log(host .. " is taken out")
    run:pause(host)
    run:sleep "2m"
    run:resume(host, { weight = 0.1 })
    run:sleep "1m"
    if slow(run.pool) == host then
      run:pause(host)
      run:sleep "10m"
    end
    run:resume(host)
  end,
}
