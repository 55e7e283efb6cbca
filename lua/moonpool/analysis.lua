-- SPDX-License-Identifier: Apache-2.0
-- What is measured becomes words: bottlenecks with their cause, how well a pool is, and what to do. A finding is
--   { kind, host, measurement, measured, threshold, key, message, advice }
-- and reads well as a text. Each rule looks at the window of the metrics and says nothing unless its threshold is met
-- by enough of it, so that a pool that does its work is not talked about.
local core = require "moonpool.core_loader"

local format = string.format

local analysis = {}

-- From where on something is a finding.
local LIMITS = {
  answers = 20,          -- of a host, or requests of a pool, before shares and means of them say anything
  slowTimes = 3,         -- a host against the median of its datacentre ...
  slowMs = 2,            -- ... and by so much more
  crowded = 0.3,         -- of the window
  queued = 0.01,         -- of the requests
  fewStreamIds = 1024,   -- maxRequestsPerConnection below it is the user's own narrow place
  hotShare = 0.25, hotRate = 20, hotLookedAt = 32,
  remoteShare = 0.1,
  reconnects = 20, reconnectsPerSecond = 2,
  blockedMs = 10,
  failing = 0.2,         -- of the attempts at a host
  errors = 0.05, timeouts = 0.05, broken = 0.5,
}
analysis.limits = LIMITS

local Finding = { __tostring = function(self) return self.message .. ": " .. self.advice end }

local function finding(fields) return setmetatable(fields, Finding) end

local function percent(share) return format("%.0f %%", share * 100) end

-- ---- the rules --------------------------------------------------------------------------------------------
-- Each is a function(seen, add), where seen = { metrics, more (core.getAnalysis) }.

local rules = {}

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function is_measured(host) return host.status == "up" and host.attempts >= LIMITS.answers end

-- Against the others of its datacentre: what is slow there is slow for all of them.
function rules.slowHost(seen, add)
  local by_dc = {}
  for _, host in ipairs(seen.metrics.hosts) do
    if is_measured(host) and host.averageLatency > 0 then
      by_dc[host.datacenter] = by_dc[host.datacenter] or {}
      table.insert(by_dc[host.datacenter], host)
    end
  end
  for _, hosts in pairs(by_dc) do
    for _, host in ipairs(hosts) do
      local others = {}
      for _, other in ipairs(hosts) do
        if other ~= host then others[#others + 1] = other.averageLatency end
      end
      local usual = median(others)
      local threshold = usual and math.max(usual * LIMITS.slowTimes, usual + LIMITS.slowMs)
      if threshold and host.averageLatency >= threshold then
        add { host = host.address, measurement = "averageLatency", measured = host.averageLatency,
          threshold = threshold, key = "loadBalancing.policy",
          message = format("%s is slow: it answers in %.1f ms, the others of %s in %.1f ms", host.address,
            host.averageLatency, host.datacenter, usual),
          advice = "look at that node; meanwhile LatencyAwarePolicy keeps requests away from it, and "
            .. "speculativeExecution asks another host when it is late" }
      end
    end
  end
end

function rules.failingHost(seen, add)
  for _, host in ipairs(seen.metrics.hosts) do
    if host.attempts >= LIMITS.answers and host.errorRate >= LIMITS.failing then
      add { host = host.address, measurement = "errorRate", measured = host.errorRate, threshold = LIMITS.failing,
        key = "circuitBreaker.enabled",
        message = format("%s fails %s of what it is asked (%d of it had no answer in time)", host.address,
          percent(host.errorRate), host.timeouts),
        advice = "look at that node; circuitBreaker.enabled keeps requests away from it until it is well" }
    end
  end
end

local function is_short_of_ids(seen)
  local metrics = seen.metrics
  return metrics.queued + metrics.queueRefused >= math.max(LIMITS.answers / 2, metrics.requests * LIMITS.queued)
end

local function fewest_ids(seen)
  local fewest
  for _, host in pairs(seen.more.hosts) do fewest = math.min(fewest or host.streamIds, host.streamIds) end
  return fewest or LIMITS.fewStreamIds
end

function rules.streamIdsExhausted(seen, add)
  local metrics, ids = seen.metrics, fewest_ids(seen)
  if not is_short_of_ids(seen) or ids >= LIMITS.fewStreamIds then return end
  add { measurement = "queued", measured = metrics.queued + metrics.queueRefused,
    threshold = math.max(LIMITS.answers / 2, metrics.requests * LIMITS.queued),
    key = "pooling.maxRequestsPerConnection",
    message = format("%d requests found all stream ids in use and had to wait, %d were refused: a connection carries "
      .. "%d at a time", metrics.queued, metrics.queueRefused, ids),
    advice = format("raise pooling.maxRequestsPerConnection from %d, up to 2048 as a rule", ids) }
end

function rules.poolTooSmall(seen, add)
  local short = is_short_of_ids(seen) and fewest_ids(seen) >= LIMITS.fewStreamIds
  local worst
  for _, host in ipairs(seen.metrics.hosts) do
    if host.crowded >= LIMITS.crowded and (not worst or host.crowded > worst.crowded) then worst = host end
  end
  if worst then
    add { host = worst.address, measurement = "crowded", measured = worst.crowded, threshold = LIMITS.crowded,
      key = "pooling.maxConnectionsPerHost",
      message = format("the pool of %s is too small: for %s of the window each of its %d connections had %d requests "
        .. "or more in flight, and it may have no other", worst.address, percent(worst.crowded), worst.connections,
        seen.more.hosts[worst.address].growAt),
      advice = format("raise pooling.maxConnectionsPerHost from %d", worst.maxConnections) }
  elseif short then
    add { measurement = "queued", measured = seen.metrics.queued + seen.metrics.queueRefused,
      threshold = math.max(LIMITS.answers / 2, seen.metrics.requests * LIMITS.queued),
      key = "pooling.maxConnectionsPerHost",
      message = format("%d requests found no room on any connection, %d were refused", seen.metrics.queued,
        seen.metrics.queueRefused),
      advice = "raise pooling.maxConnectionsPerHost, or send less at a time" }
  end
end

function rules.hotPartition(seen, add)
  local hottest = seen.more.hottest
  if hottest.share < LIMITS.hotShare or hottest.lookedAt < LIMITS.hotLookedAt
    or seen.metrics.requestsPerSecond < LIMITS.hotRate then return end
  add { measurement = "share of requests", measured = hottest.share, threshold = LIMITS.hotShare,
    key = "loadBalancing.policy", token = hottest.token,
    message = format("one partition is hot: %s of the requests that have a key ask for that of token %s",
      percent(hottest.share), hottest.token),
    advice = "its replicas do what the others cannot help with: divide the partition (a bucket in its key), or keep it "
      .. "at hand; LeastLoadedPolicy spreads its reads over all replicas" }
end

function rules.remoteDatacenter(seen, add)
  local home, serving, all, remote = seen.more.home, seen.more.serving, 0, 0
  for _, host in ipairs(seen.metrics.hosts) do
    all = all + host.attempts
    if home ~= "" and host.datacenter ~= home then remote = remote + host.attempts end
  end
  local away = serving ~= "" and serving ~= home
  local share = all >= LIMITS.answers and remote / all or 0
  if not away and share < LIMITS.remoteShare then return end
  add { measurement = "share of attempts", measured = share, threshold = away and 0 or LIMITS.remoteShare,
    key = away and "failover.policy" or "loadBalancing.usedHostsPerRemoteDc",
    message = away and format("another datacentre serves: %s instead of %s", serving, home)
      or format("%s of the attempts go to other datacentres than %s", percent(share), home),
    advice = away and "bring the hosts of home back; the failover policy returns by itself when they stand"
      or "hosts at home are down or full: see their state, and how many remote hosts may take over" }
end

function rules.reconnectStorm(seen, add)
  local count, seconds = 0, math.max(seen.metrics.window / 1000, 1)
  for _, host in ipairs(seen.metrics.hosts) do
    local refused = host.status == "up" and host.connectsFailed or 0 -- a host that is down is only knocked at
    count = count + refused + host.connectionsClosed
  end
  if count < LIMITS.reconnects or count / seconds < LIMITS.reconnectsPerSecond then return end
  add { measurement = "connections lost or refused a second", measured = count / seconds,
    threshold = LIMITS.reconnectsPerSecond, key = "pooling.reconnectBaseDelay",
    message = format("connections come and go: %d ended or could not be opened in %.0f s", count, seconds),
    advice = "see in the log why they end; a longer pooling.reconnectBaseDelay (or another reconnection policy) and a "
      .. "smaller pooling.connectionsPerSecond spare the nodes meanwhile" }
end

function rules.blockedLoop(seen, add)
  for _, block in ipairs(seen.more.blocks) do
    if block.longest >= LIMITS.blockedMs and block.age <= seen.metrics.window then
      add { measurement = "longest run, ms", measured = block.longest, threshold = LIMITS.blockedMs, key = "handlers",
        message = format("%s held everything up, %d times, for up to %d ms", block.what, block.times, block.longest),
        advice = "no request moves meanwhile: compute less at a time (moonpool.sleep(0) in between), and never call "
          .. "what waits in the system (os.execute, a blocking socket)" }
    end
  end
end

function rules.overload(seen, add)
  local metrics = seen.metrics
  if metrics.retriesRefused == 0 then return end
  add { measurement = "retriesRefused", measured = metrics.retriesRefused, threshold = 0, key = "retry.maxRetries",
    message = format("the retry budget is spent: %d further attempts were not made", metrics.retriesRefused),
    advice = "more requests fail than can be tried again: the cluster is overloaded or broken, see the errors; a "
      .. "smaller retry.maxRetries asks less of it" }
end

function rules.timeouts(seen, add)
  local metrics = seen.metrics
  local share = metrics.requests >= LIMITS.answers and metrics.timeouts / metrics.requests or 0
  if share < LIMITS.timeouts then return end
  add { measurement = "timeouts", measured = share, threshold = LIMITS.timeouts, key = "requestTimeout",
    message = format("%s of the requests had no answer in time", percent(share)),
    advice = "see which hosts do not answer; a longer requestTimeout only helps where answers are on their way" }
end

-- ---- how well it is ---------------------------------------------------------------------------------------

local health_rules = {}

-- A host that gets no connections is nobody's concern.
local function is_used(host) return host.maxConnections > 0 and (host.status ~= "new" or host.connections > 0) end

function health_rules.hostDown(seen, add)
  for _, host in ipairs(seen.metrics.hosts) do
    local more = seen.more.hosts[host.address]
    if host.status == "down" then
      add { host = host.address, measurement = "down for, ms", measured = more.since, threshold = 0,
        key = "reconnection.policy",
        message = format("%s is down for %.0f s: %s", host.address, more.since / 1000, more.why),
        advice = "look at that node; it is tried again as the reconnection policy says" }
    end
  end
end

function health_rules.hostFailing(seen, add)
  for _, host in ipairs(seen.metrics.hosts) do
    local more = seen.more.hosts[host.address]
    if host.status == "up" and more.probe and more.probe.failures > 0 then
      add { host = host.address, measurement = "health checks failed in a row", measured = more.probe.failures,
        threshold = 1, key = "healthCheck.query",
        message = format("%s fails its health check: %s", host.address, more.probe.error),
        advice = "look at that node, or at healthCheck.query and healthCheck.timeout when it is the question that is "
          .. "wrong; circuitBreaker keeps requests away from a node that fails them" }
    end
  end
end

function health_rules.breakerOpen(seen, add)
  for _, host in ipairs(seen.metrics.hosts) do
    local state = seen.more.hosts[host.address].breaker
    if state and state ~= "closed" then
      add { host = host.address, measurement = "circuit breaker", measured = state, threshold = "closed",
        key = "circuitBreaker.failureThreshold",
        message = format("the circuit breaker of %s is %s", host.address, state == "open" and "open" or "half open"),
        advice = "look at that node: too many calls in a row failed there" }
    end
  end
end

function health_rules.errors(seen, add)
  local metrics = seen.metrics
  if metrics.requests < LIMITS.answers or metrics.errorRate < LIMITS.errors then return end
  add { measurement = "errorRate", measured = metrics.errorRate, threshold = LIMITS.errors, key = "logging.logErrors",
    message = format("%s of the requests fail", percent(metrics.errorRate)),
    advice = "logging.logErrors tells which and why" }
end

-- ---- both -------------------------------------------------------------------------------------------------

local function look(pool)
  local metrics, more = core.getMetrics(pool, true), core.getAnalysis(pool)
  if not more then return nil, core.error("CLOSED", "the pool is closed") end
  return { metrics = metrics, more = more }
end

local function names_of(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function findings_of(seen, ...)
  local list = {}
  for _, set in ipairs { ... } do
    for _, kind in ipairs(names_of(set)) do
      set[kind](seen, function(fields)
        fields.kind = kind
        list[#list + 1] = finding(fields)
      end)
    end
  end
  return list
end

local function recommendations_of(findings)
  local list = {}
  for i, each in ipairs(findings) do
    list[i] = setmetatable({ key = each.key, host = each.host, measurement = each.measurement,
      measured = each.measured, threshold = each.threshold, message = each.message .. ": " .. each.advice },
      { __tostring = function(self) return self.message end })
  end
  return list
end

-- What was seen as analyzePerformance() tells it. The C API gives what it sees of a session.
function analysis.performance_of(seen)
  local metrics, attempts = seen.metrics, 0
  for _, host in ipairs(metrics.hosts) do attempts = attempts + host.attempts end
  local bottlenecks = findings_of(seen, rules)
  return {
    bottlenecks = bottlenecks, recommendations = recommendations_of(bottlenecks),
    avgConnectionTime = seen.more.connectTime, avgRequestTime = metrics.averageLatency,
    -- Messages that brought an answer somebody wanted, of all that were sent.
    poolEfficiency = attempts == 0 and 1 or math.max(0, math.min(1, (metrics.requests - metrics.errors) / attempts)),
  }
end

-- pool:analyzePerformance(): { bottlenecks, recommendations, avgConnectionTime, avgRequestTime, poolEfficiency }, or
-- nil and an error.
function analysis.performance(pool)
  local seen, err = look(pool)
  if not seen then return nil, err end
  return analysis.performance_of(seen)
end

local function status_of(host, more)
  if host.status == "up" and more.probe and more.probe.failures > 0 then return "failing" end
  return host.status
end

local function overall_of(seen, findings, up)
  local metrics = seen.metrics
  local enough = metrics.requests >= LIMITS.answers
  if up == 0 or enough and metrics.errorRate >= LIMITS.broken then return "unhealthy" end
  for _, each in ipairs(findings) do
    if health_rules[each.kind] or each.kind == "remoteDatacenter" or each.kind == "overload" then return "degraded" end
  end
  return "healthy"
end

-- What was seen as getHealthStatus() tells it, and the findings that its recommendations are made of.
function analysis.health_of(seen)
  local findings, hosts, up = findings_of(seen, health_rules, rules), {}, 0
  for _, host in ipairs(seen.metrics.hosts) do
    if is_used(host) then
      local more = seen.more.hosts[host.address]
      up = up + (host.status == "up" and 1 or 0)
      hosts[#hosts + 1] = {
        address = host.address, datacenter = host.datacenter, status = status_of(host, more),
        connections = host.connections, averageLatency = host.averageLatency, errorRate = host.errorRate,
        breaker = more.breaker, probe = more.probe,
      }
    end
  end
  return {
    overall = overall_of(seen, findings, up), hosts = hosts, recommendations = recommendations_of(findings),
  }, findings
end

-- pool:getHealthStatus(): { overall, hosts, recommendations }, or nil and an error.
function analysis.health(pool)
  local seen, err = look(pool)
  if not seen then return nil, err end
  return (analysis.health_of(seen))
end

return analysis
