-- SPDX-License-Identifier: Apache-2.0
-- Policies on the same simulated traffic and the same faults, in virtual time (moonpool compare). For each seed every
-- policy gets a cluster of its own, in which the same things happen at the same times.
--
-- Simulated nodes answer as fast whatever they have to do, so the load is modelled here: a few times a second the
-- latency of each node is set to its service time divided by the room it has left (as a queue with one server has it).
local moonpool = require "moonpool"
local random_of = require "moonpool.prove.random"
local testing = require "moonpool.testing"

local compare = {}

local SECONDS, RATE, READS, KEYS = 20, 150, 0.8, 2000
local SERVICE_MS, CAPACITY = 0.5, 200 -- of a node
local REMOTE_MS = 20 -- on the way to another datacentre and back
local LOOK_MS = 200 -- between two looks at the load
local LEAST_ROOM = 0.02 -- a node that is asked for more than it bears takes fifty times as long
local TIMEOUT_MS = 2000
local LOCAL = "datacenter1"

-- ---- a cluster whose nodes have a capacity ----------------------------------------------------------------

local function each_of(c, where, fn)
  if c.numbers[where] then return fn(c.numbers[where]) end
  if not c.dcs[where] then error(("there is no host or datacentre '%s'"):format(tostring(where)), 3) end
  for i = 1, c.dcs[where] do fn(c.numbers[where .. "/" .. i]) end
end

local function add_load(c)
  c.services, c.capacities, c.timers = {}, {}, {}
  for i = 1, #c.names do c.services[i], c.capacities[i] = SERVICE_MS, CAPACITY end
  function c:service(where, ms) each_of(self, where, function(i) self.services[i] = ms end) end
  function c:capacity(where, n) each_of(self, where, function(i) self.capacities[i] = n end) end
  function c:after(seconds, fn) self.timers[#self.timers + 1] = { at = seconds, fn } end
end

local function follow_load(c, seen)
  for i in ipairs(c.names) do
    local requests = c.world.cluster:requests(i)
    local rate = math.max(0, requests - (seen[i] or requests)) * 1000 / LOOK_MS
    seen[i] = requests
    local ms = c.services[i] / math.max(LEAST_ROOM, 1 - rate / c.capacities[i])
    local way = c.names[i]:find(LOCAL .. "/", 1, true) == 1 and 0 or REMOTE_MS
    c.world:latency((way + ms) / 2, ms / 4, i) -- each way
  end
end

-- ---- a run ------------------------------------------------------------------------------------------------

local function key_bytes(key)
  return string.char(math.floor(key / 16777216) % 256, math.floor(key / 65536) % 256, math.floor(key / 256) % 256,
    key % 256)
end

-- By key: { ["datacenter1/2"] = true }.
local function replicas_of(c)
  return setmetatable({}, { __index = function(known, key)
    local set = {}
    for _, number in ipairs(c.world.cluster:replicas("test", key_bytes(key))) do set[c.names[number]] = true end
    rawset(known, key, set)
    return set
  end })
end

local function begin_timers(c, scenario, over)
  for _, event in ipairs(scenario.events or {}) do c:after(event.at, event[1]) end
  for _, timer in ipairs(c.timers) do
    moonpool.spawn(function()
      moonpool.sleep(timer.at * 1000)
      if not over.now then timer[1](c) end
    end)
  end
end

local function note(result, second, name, ms)
  local slot = result.timeline[second] or { latencies = {}, hosts = {}, failed = 0 }
  result.timeline[second] = slot
  if not name then
    slot.failed = slot.failed + 1
    return
  end
  slot.latencies[#slot.latencies + 1] = ms
  slot.hosts[name] = (slot.hosts[name] or 0) + 1
end

local function send(c, pool, scenario, seed, result)
  local random, replicas = random_of(seed), replicas_of(c) -- what a policy draws changes nothing of the traffic
  local key_of = scenario.key or function() return random(KEYS) end
  local options = { isIdempotent = true, timeout = TIMEOUT_MS, consistency = scenario.consistency }
  local statements = {}
  for kind, cql in pairs(testing.statements) do statements[kind] = assert(pool:prepare(cql)) end
  local count = math.floor((scenario.seconds or SECONDS) * (scenario.rate or RATE))
  local open, began = 0, moonpool.now()
  local before, over, seen = pool:getStats(), {}, {}
  begin_timers(c, scenario, over)
  moonpool.spawn(function()
    while not over.now do
      follow_load(c, seen)
      moonpool.sleep(LOOK_MS)
    end
  end)
  local at = began
  for _ = 1, count do
    -- Poisson's arrivals: the waits between them are exponential.
    at = at - math.log((random(65535) + 1) / 65536) * 1000 / (scenario.rate or RATE)
    if at > moonpool.now() then moonpool.sleep(at - moonpool.now()) end
    local key, kind = key_of(random), random(1000) < (scenario.reads or READS) * 1000 and "read" or "write"
    local second = math.floor((moonpool.now() - began) / 1000) + 1
    open = open + 1
    moonpool.spawn(function()
      local answer, err = pool:execute(statements[kind], { key }, options)
      open = open - 1
      if not answer then
        result.failed = result.failed + 1
        result.errors[err.code] = (result.errors[err.code] or 0) + 1
        return note(result, second)
      end
      local name = c.addresses[answer.info.host] or answer.info.host
      result.latencies[#result.latencies + 1] = answer.info.latencyMs
      result.hosts[name] = (result.hosts[name] or 0) + 1
      if name:find(LOCAL .. "/", 1, true) ~= 1 then result.left = result.left + 1 end
      if replicas[key][name] then result.at_replica = result.at_replica + 1 end
      note(result, second, name, answer.info.latencyMs)
    end)
  end
  while open > 0 do moonpool.sleep(10) end
  over.now = true
  moonpool.sleep((scenario.seconds or SECONDS) * 1000) -- timers that are late still wake
  result.requests, result.attempts = count, pool:getStats().attempts - before.attempts
  result.policy = pool:policies().balance
end

local function quantile(sorted, share) return sorted[math.max(1, math.ceil(#sorted * share))] or 0 end
compare.quantile = quantile

-- How uneven the local hosts were asked: the busiest one beside the mean, 1: all alike.
local function unevenness(c, hosts)
  local most, sum = 0, 0
  for i = 1, c.dcs[LOCAL] do
    local asked = hosts[LOCAL .. "/" .. i] or 0
    most, sum = math.max(most, asked), sum + asked
  end
  return sum > 0 and most * c.dcs[LOCAL] / sum or 0
end

local function figures_of(c, result)
  table.sort(result.latencies)
  local answered = math.max(1, #result.latencies)
  return {
    p50 = quantile(result.latencies, 0.5), p99 = quantile(result.latencies, 0.99),
    p999 = quantile(result.latencies, 0.999), failed = result.failed / result.requests,
    leftDatacenter = result.left / answered, atReplica = result.at_replica / answered,
    spread = unevenness(c, result.hosts), attempts = result.attempts / result.requests,
  }
end

-- One policy, { policy, options }, in one scenario from one seed: figures and a timeline, one entry for each second.
function compare.run(choice, scenario, cluster, seed)
  local dcs = {}
  for i = 1, cluster.dcs do
    dcs["datacenter" .. i] = math.floor(cluster.nodes / cluster.dcs) + (i <= cluster.nodes % cluster.dcs and 1 or 0)
  end
  local c = testing.cluster { dcs = dcs, localDc = LOCAL, racks = scenario.racks, localRack = "rack1", seed = seed,
    replicas = math.max(1, math.min(3, dcs[LOCAL] - 1)) } -- of all nodes every row would be everywhere
  add_load(c)
  local result = { latencies = {}, hosts = {}, errors = {}, timeline = {}, failed = 0, left = 0, at_replica = 0 }
  local ok, why = pcall(function()
    if scenario.begin then scenario.begin(c) end
    c.world:run(function()
      send(c, testing.pool_of(c, { policy = choice.policy, options = choice.options }), scenario, seed, result)
    end)
  end)
  local figures = ok and figures_of(c, result)
  c:close()
  if not ok then error(why, 0) end
  return figures, result
end

-- ---- what is noise ----------------------------------------------------------------------------------------

-- Student's t for 95 % on both sides, by degrees of freedom.
local T = { 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
  2.120, 2.110, 2.101, 2.093, 2.086 }

local function mean_of(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum / #list
end

-- Half the width of the interval that holds the mean with 95 %.
local function margin_of(list)
  if #list < 2 then return math.huge end
  local mean, sum = mean_of(list), 0
  for _, value in ipairs(list) do sum = sum + (value - mean) ^ 2 end
  return (T[#list - 1] or 1.96) * math.sqrt(sum / (#list - 1) / #list)
end

-- { mean, margin } of a figure over the seeds.
function compare.summary(runs, name)
  local list = {}
  for i, figures in ipairs(runs) do list[i] = figures[name] end
  return { mean = mean_of(list), margin = margin_of(list) }
end

-- The same of the difference, seed by seed: what both have of a seed falls out. `is_sure`: it is none of noise.
function compare.difference(base, runs, name)
  local list = {}
  for i, figures in ipairs(runs) do list[i] = figures[name] - base[i][name] end
  local mean, margin = mean_of(list), margin_of(list)
  return { mean = mean, margin = margin, is_sure = math.abs(mean) > margin }
end

-- ---- all of it --------------------------------------------------------------------------------------------

-- { scenario, policies = { { label, runs = { figures of each seed }, timeline } } } for each scenario; the timeline is
-- that of the first seed. `told(text)` hears what is done.
function compare.all(choices, scenarios, cluster, seeds, told)
  local results = {}
  for s, scenario in ipairs(scenarios) do
    local result = { scenario = scenario, policies = {} }
    for p, choice in ipairs(choices) do
      local of = { label = choice.label or choice.policy, runs = {} }
      for i = 1, seeds.count do
        if told then told(("%s, %s, seed %d"):format(scenario.name, of.label, seeds.first + i - 1)) end
        local figures, run = compare.run(choice, scenario, cluster, seeds.first + i - 1)
        of.runs[i] = figures
        of.timeline = of.timeline or run.timeline
        of.name, of.errors = run.policy.name, (of.errors or 0) + run.policy.errors
      end
      result.policies[p] = of
    end
    results[s] = result
  end
  return results
end

return compare
