-- SPDX-License-Identifier: Apache-2.0
-- A host that takes connections and loses them again and again costs everybody: it and the pool shake hands all day. It
-- is drained for a minute, then tried with one connection, then as before.
local MANY = 20 -- connections that end within the window of getMetrics()

local function stormy(pool)
  local worst
  for _, host in ipairs(pool:getMetrics().hosts) do
    if host.connectionsClosed >= MANY and (not worst or host.connectionsClosed > worst.connectionsClosed) then
      worst = host
    end
  end
  return worst and worst.address
end

return playbook {
  name = "connectionStorm",
  when = { condition = function(pool) return stormy(pool) ~= nil end, lasting = "5s" },
  timeout = "10m", coolDown = "1m", atMost = { 20, per = "1h" },

  run = function(run)
    local host = stormy(run.pool)
    if not host then return end
    run:log(host .. " loses its connections")
    run:drain(host)
    run:sleep "1m"
    run:resize(host, { core = 1, max = 1 })
    run:resume(host)
    run:sleep "30s"
    run:resize(host)
  end,
}
