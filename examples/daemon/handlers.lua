-- SPDX-License-Identifier: Apache-2.0
-- What the daemon does about events: a line for each host that comes or goes and for each change of a file, and a first
-- question to a host that is back.
return function(pool)
  local function say(format, ...)
    print(format:format(...))
    io.stdout:flush()
  end

  pool:on("hostDown", function(host, reason) say("%s is down: %s", host, reason) end)

  pool:on("hostUp", function(host)
    pool:connect() -- at the start hosts come up before the pool may be used
    local result, err = pool:execute("SELECT release_version FROM system.local", nil, { host = host })
    say("%s is up, %s", host, result and "version " .. result:first().release_version or tostring(err))
  end)

  pool:on("configReload", function(event)
    for _, change in ipairs(event.changes) do say("%s: %s -> %s", change.key, change.from, change.to) end
  end)

  for _, name in ipairs { "configError", "handlersError", "policyError" } do
    pool:on(name, function(event) say("%s: %s", name, event.message) end)
  end
end
