-- SPDX-License-Identifier: Apache-2.0
-- When no host of the home datacentre has answered for ten seconds and half of another one is there, that one serves.
-- Home serves again when all of it has been up for a minute. (failover.policy does the same by its own rules; this is
-- for those who want to be told, and to have their own.)
local function count(pool, dc)
  local up, total = 0, 0
  for _, host in ipairs(pool:getHosts()) do
    if host.datacenter == dc then
      total = total + 1
      if host.status == "up" then up = up + 1 end
    end
  end
  return up, total
end

-- Where to go: the datacentre with the most hosts up, at least half of its own.
local function refuge(pool, home)
  local best, most
  for _, host in ipairs(pool:getHosts()) do
    local up, total = count(pool, host.datacenter)
    if host.datacenter ~= home and up * 2 >= total and (not most or up > most) then best, most = host.datacenter, up end
  end
  return best
end

local function home_of(pool)
  for _, host in ipairs(pool:getHosts()) do
    if host.distance == "local" then return host.datacenter end
  end
end

return playbook {
  name = "datacentreFailover",
  when = { lasting = "10s", condition = function(pool)
    local home = home_of(pool)
    return home ~= nil and count(pool, home) == 0 and refuge(pool, home) ~= nil
  end },
  timeout = "1d", coolDown = "5m", atMost = { 4, per = "1d" },

  run = function(run)
    local home = home_of(run.pool)
    local other = refuge(run.pool, home)
    run:log(("%s is lost, %s serves"):format(home, other))
    run:switchDatacenter(other)
    run:waitUntil(function()
      local up, total = count(run.pool, home)
      run.memory.since = up == total and (run.memory.since or os.time()) or nil
      return run.memory.since ~= nil and os.time() - run.memory.since >= 60
    end, "23h")
    run:switchDatacenter(home)
  end,
}
