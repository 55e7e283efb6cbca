-- SPDX-License-Identifier: Apache-2.0
-- A node that has been away for half a minute: somebody is told, it is left alone until it answers again, and then it
-- gets little traffic at first, because it comes back with empty caches.
return playbook {
  name = "lostNode",
  when = { event = "hostDown", lasting = "30s" },
  guard = function(run) return run.pool:getMetrics().hostsUp >= 2 end,
  timeout = "1h", coolDown = "10m", atMost = { 6, per = "1h" },

  run = function(run)
    run.memory.lost = (run.memory.lost or 0) + 1
    run:log(("%s is away, loss %d"):format(run.host, run.memory.lost))
    run:pause(run.host)
    run:waitUntil(function() return run:isConnected(run.host) end, "50m")
    run:probe(run.host, { query = "SELECT release_version FROM system.local", times = 3, every = "2s" })
    run:resume(run.host, { weight = 0.1 })
    run:sleep "1m"
    run:resume(run.host)
  end,

  cancel = function(run, why) run:log("given up: " .. why) end,
}
