-- SPDX-License-Identifier: Apache-2.0
-- A pool at a glance, as `moonpool top` and the status page show it: what its methods say, host by host in one place.
-- Texts that servers or files wrote stand in it as they came, but for what has the shape of a secret.
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"

local overview = {}

-- Of the whole pool: from getMetrics(), and from getStats().
local FIGURES = { "hostsUp", "hostsDown", "totalConnections", "servingDataCenter", "window", "requestsPerSecond",
  "averageLatency", "latencyP50", "latencyP95", "latencyP99", "latencyMax", "errorRate", "poolUtilization" }
local COUNTERS = { "requests", "errors", "timeouts", "retries", "speculative", "requestsInFlight", "requestsQueued",
  "breakersOpen", "connectionErrors", "policyFallbacks", "eventsDropped" }
-- What getMetrics() knows of a host beside what getHosts() says.
local OF_HOST = { "requestsPerSecond", "latencyP50", "latencyP95", "latencyP99", "errorRate", "attempts", "errors",
  "timeouts" }

local function take(to, from, names)
  for _, name in ipairs(names) do to[name] = from[name] end
  return to
end

local function hosts_of(pool, measured)
  local list, by_address = pool:getHosts(), {}
  for _, host in ipairs(measured or {}) do by_address[host.address] = host end
  for _, host in ipairs(list) do
    take(host, by_address[host.address] or {}, OF_HOST)
    host.tags = host.tags and json.list(host.tags)
  end
  return json.list(list)
end

-- pool:policies(), as JSON has it: what is a list is one also when it is empty. With each that is on trial.
function overview.policies(pool)
  local policies = pool:policies()
  for kind, one in pairs(pool:canary()) do
    local on_trial = one.state == "running" or one.state == "waiting"
    if policies[kind] and on_trial then policies[kind].canary = one end
  end
  local agreement = policies.shadow and policies.shadow.agreement
  if agreement then json.list(agreement.examples) end
  return policies
end

local function policies_of(pool)
  local list = json.list {}
  for kind, policy in pairs(overview.policies(pool)) do
    policy.kind = kind
    list[#list + 1] = policy
  end
  table.sort(list, function(a, b) return a.kind < b.kind end)
  return list
end

local function playbooks_of(pool)
  local list = json.list(pool:playbooks())
  for _, book in ipairs(list) do json.list(book.running) end
  return list
end

-- The least of it: { at, figures }; and getMetrics() with it.
function overview.figures(pool)
  local metrics = pool:getMetrics()
  local figures = take(take({}, metrics, FIGURES), pool:getStats(), COUNTERS)
  return { at = math.floor(core.wallClock()), figures = figures }, metrics
end

-- { at, overall, figures, hosts, policies, playbooks }
function overview.of(pool)
  local now, metrics = overview.figures(pool)
  local health = pool:getHealthStatus()
  now.overall, now.hosts = health and health.overall or "closed", hosts_of(pool, metrics.hosts)
  now.policies, now.playbooks = policies_of(pool), playbooks_of(pool)
  return now
end

return overview
