-- SPDX-License-Identifier: Apache-2.0
-- A node that comes back from a restart has empty caches: it gets little traffic for a minute, whoever restarted it.
-- For a balance policy that weighs hosts (WeightedPolicy).
return playbook {
  name = "rollingRestart",
  when = { event = "hostDown" },
  timeout = "30m", coolDown = 0, atMost = { 100, per = "1h" },

  run = function(run)
    run:resume(run.host, { weight = 0.05 }) -- for the moment when it is up again
    run:waitUntil(function() return run:isUp(run.host) end, "25m")
    for _, weight in ipairs { 0.05, 0.2, 0.5 } do
      run:resume(run.host, { weight = weight })
      run:sleep "20s"
    end
    run:resume(run.host)
  end,

  cancel = function(run) run:resume(run.host) end,
}
