-- SPDX-License-Identifier: Apache-2.0
-- What a spec of a policy has: a simulated cluster in virtual time and requests that a real pool sends to it.
--
--   local c = cluster { dcs = { east = 3, west = 3 }, localDc = "east" }
--   c:kill "east/1"
--   local result = run { requests = 1e5, policy = "MyPolicy", consistency = "LOCAL_QUORUM" }
--   result.asked["east/2"]   result.failures   result.latency.p99
--
-- Playbooks and handlers are tried on it as well, see automation.lua.
--
-- Hosts are "datacentre/number", from 1. Times are milliseconds. Everything follows from one seed.
local automation = require "moonpool.automation"
local duration = require "moonpool.duration"
local moonpool = require "moonpool"
local nearest = require "moonpool.nearest"
local sim = require "moonpool.sim"

local testing = { seed = 1, paths = {} } -- and, for compare.lua, statements and pool_of

local KEYSPACE, CONCURRENCY, REPLICAS = "test", 64, 3
local SETTLE = 2000
local AFTERMATH = 70000 -- runs of playbooks are cancelled, and handlers finish
local LATENCY, REMOTE_LATENCY = 0.5, 20

local statements = {
  read = "SELECT v FROM test.t WHERE id = ?",
  write = "INSERT INTO test.t (id, v) VALUES (?, 'x')",
  lwt = "INSERT INTO test.t (id, v) VALUES (?, 'x') IF NOT EXISTS",
  scan = "SELECT id FROM test.t LIMIT 10",
}

testing.statements = statements

local function check_keys(what, given, known)
  if type(given) ~= "table" then error(what .. " takes a table", 3) end
  for key in pairs(given) do
    if not known[key] then
      error(("%s: there is no '%s'%s"):format(what, tostring(key), nearest.hint(key, known)), 3)
    end
  end
end

local function set_of(...)
  local set = {}
  for _, key in ipairs { ... } do set[key] = true end
  return set
end

-- ---- clusters ---------------------------------------------------------------------------------------------

local Cluster = {}
Cluster.__index = Cluster
local current

local function number_of(self, host, level)
  local number = self.numbers[host]
  if not number then error(("there is no host '%s': hosts are \"datacentre/number\""):format(tostring(host)), level) end
  return number
end

-- Of one host, or of all hosts of a datacentre.
for _, verb in ipairs { "kill", "start", "pause", "resume", "drain" } do
  Cluster[verb] = function(self, where)
    for i = 1, self.dcs[where] or 0 do
      self.world.cluster[verb](self.world.cluster, self.numbers[where .. "/" .. i])
    end
    if not self.dcs[where] then self.world.cluster[verb](self.world.cluster, number_of(self, where, 3)) end
  end
end

-- Of one host, or of all hosts of a datacentre.
function Cluster:setLatency(where, ms, jitter)
  if self.dcs[where] then
    for i = 1, self.dcs[where] do self.world:latency(ms, jitter, self.numbers[where .. "/" .. i]) end
  else
    self.world:latency(ms, jitter, number_of(self, where, 3))
  end
end

-- What an application would say of a host: weight and tags, as pool:setHostWeight and pool:setHostTags do.
function Cluster:setWeight(host, weight) self.weights[self.names[number_of(self, host, 3)]] = weight end
function Cluster:setTags(host, tags) self.tags[self.names[number_of(self, host, 3)]] = tags end

-- "40s", or milliseconds.
function Cluster:sleep(time)
  local ms, why = duration.ms(time)
  if not ms then error("sleep: " .. why, 2) end
  self.world:run(moonpool.sleep, ms)
end

-- The address that a pool calls a host by.
function Cluster:address(host)
  return self.world.cluster:nodes()[number_of(self, host, 3)].address .. ":9042"
end

-- Calls it in a coroutine of the cluster's world.
function Cluster:inside(fn, ...) return self.world:run(fn, ...) end

-- A rule of the simulated cluster: c:rule{ node = "east/1", error = "OVERLOADED", probability = 0.5 }.
function Cluster:rule(spec)
  local copy = {}
  for key, value in pairs(spec) do copy[key] = value end
  if type(copy.node) == "string" then copy.node = number_of(self, copy.node, 3) end
  return self.world.cluster:rule(copy)
end

function Cluster:close()
  if not self.world then return end
  local world = self.world
  self.world = nil
  if current == self then current = nil end
  world:run(function()
    for _, pool in pairs(self.pools) do pool:close() end
    if self.is_automated then moonpool.sleep(AFTERMATH) end
  end)
  world:close()
end

local cluster_keys = set_of("dcs", "localDc", "localRack", "racks", "vnodes", "seed", "replicas")

function testing.cluster(options)
  options = options or {}
  check_keys("cluster", options, cluster_keys)
  testing.finish()
  local self = setmetatable({
    dcs = options.dcs or { dc1 = 3 }, numbers = {}, names = {}, pools = {}, weights = {}, tags = {},
  }, Cluster)
  local names, list, total = {}, {}, 0
  for name in pairs(self.dcs) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    list[i] = { name, self.dcs[name] }
    for n = 1, self.dcs[name] do
      total = total + 1
      self.numbers[name .. "/" .. n] = total
      self.names[total] = name .. "/" .. n
    end
  end
  self.localDc = options.localDc or names[1]
  if not self.dcs[self.localDc] then error("cluster: localDc: there is no '" .. tostring(self.localDc) .. "'", 2) end
  self.localRack = options.localRack
  self.world = sim.world {
    seed = options.seed or testing.seed, datacenters = list, racks = options.racks, vnodes = options.vnodes,
  }
  local replication = {}
  for i, name in ipairs(names) do
    replication[i] = ("'%s': %d"):format(name, math.min(options.replicas or REPLICAS, self.dcs[name]))
    self:setLatency(name, name == self.localDc and LATENCY or REMOTE_LATENCY)
  end
  self.world.cluster:schema(("CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', %s}")
    :format(KEYSPACE, table.concat(replication, ", ")))
  self.world.cluster:schema("CREATE TABLE test.t (id int PRIMARY KEY, v text)")
  self.addresses = {}
  for i, node in ipairs(self.world.cluster:nodes()) do self.addresses[node.address .. ":9042"] = self.names[i] end
  current = self
  return self
end

-- The end of a test.
function testing.finish()
  if current then current:close() end
  automation.finish()
end

-- The word `cluster` of a spec: cluster{ ... } makes one, cluster:kill "dc1/2" is of the last one, made when there is
-- none.
testing.word = setmetatable({}, {
  __call = function(_, options) return testing.cluster(options) end,
  __index = function(_, name)
    local method = Cluster[name]
    if not method then error(("a cluster has no '%s'%s"):format(tostring(name), nearest.hint(name, Cluster)), 2) end
    return function(self, ...)
      if self == testing.word then self = current or testing.cluster() end
      return method(self, ...)
    end
  end,
})

-- ---- requests ---------------------------------------------------------------------------------------------

-- The questions that policies answer: what run() calls the policy of each and its options, the section of the pool's
-- configuration, and the policy where none is given.
local questions = {
  { policy = "policy", options = "options", section = "loadBalancing", default = "TokenAwarePolicy" },
  { policy = "retry", options = "retryOptions", section = "retry", default = "DefaultRetryPolicy" },
  { policy = "reconnect", options = "reconnectOptions", section = "reconnection" },
  { policy = "speculate", options = "speculateOptions", section = "speculativeExecution" },
  { policy = "failover", options = "failoverOptions", section = "failover" },
  { policy = "shadow", options = "shadowOptions", section = "shadow" }, -- of loadBalancing
}

local run_keys = set_of("requests", "consistency", "key", "kind", "tag", "concurrency", "timeout", "idempotent",
  "cluster")
for _, question in ipairs(questions) do run_keys[question.policy], run_keys[question.options] = true, true end

-- The sections of a pool's configuration that name its policies, and a name of their own for all that is in them.
local function policy_sections(given)
  local sections, parts = {}, {}
  for _, question in ipairs(questions) do
    local name, section, said = given[question.policy] or question.default, {}, {}
    for key, value in pairs(given[question.options] or {}) do
      section[key] = value
      said[#said + 1] = tostring(key) .. "=" .. tostring(value)
    end
    table.sort(said)
    parts[#parts + 1] = tostring(name) .. " " .. table.concat(said, ",")
    section.policy = name
    sections[question.section] = name and section
  end
  sections.loadBalancing.shadow, sections.loadBalancing.shadowShare = sections.shadow, sections.shadow and 1
  return sections, table.concat(parts, ";")
end

-- Connections are open, every host knows every statement, the replicas of the keyspace are known: what is counted
-- afterwards is what the policy did.
local function warm_up(pool)
  moonpool.sleep(SETTLE)
  for _, kind in ipairs { "read", "write", "lwt", "scan" } do
    local statement = pool:prepare(statements[kind])
    for _, host in ipairs(statement and pool:getHosts() or {}) do
      pool:execute(statement, kind ~= "scan" and { 0 } or nil, { host = host.address })
    end
  end
  moonpool.sleep(SETTLE)
end

-- One pool for each different configuration, open until the cluster's end, so that a second run finds what the first
-- one learnt.
local function pool_of(self, given)
  local sections, name = policy_sections(given)
  local pool = self.pools[name]
  if pool then return pool end
  local nodes = self.world.cluster:nodes()
  local contacts = {}
  for i, node in ipairs(nodes) do contacts[i] = node.address end
  pool = assert(moonpool.ConnectionPool {
    contactPoints = contacts, localDataCenter = self.localDc, localRack = self.localRack, policyPath = testing.paths,
    loadBalancing = sections.loadBalancing, retry = sections.retry, reconnection = sections.reconnection,
    speculativeExecution = sections.speculativeExecution, failover = sections.failover,
    pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } }, logging = { level = "error" },
  })
  assert(pool:connect())
  self.pools[name] = pool
  warm_up(pool)
  return pool
end

testing.pool_of = pool_of

local function asked_of(self, pool)
  local asked = {}
  for _, host in ipairs(pool:getHosts()) do asked[self.addresses[host.address] or host.address] = host.requests end
  return asked
end

local function percentiles(list)
  table.sort(list)
  local function at(share) return list[math.max(1, math.ceil(#list * share))] or 0 end
  local sum = 0
  for _, ms in ipairs(list) do sum = sum + ms end
  return { p50 = at(0.5), p95 = at(0.95), p99 = at(0.99), max = at(1), mean = #list > 0 and sum / #list or 0 }
end

local function send_all(self, given)
  local pool = pool_of(self, given)
  for host, address in pairs(self.addresses) do
    if self.weights[address] then assert(pool:setHostWeight(host, self.weights[address])) end
    if self.tags[address] then assert(pool:setHostTags(host, self.tags[address])) end
  end
  local kind = given.kind or "read"
  local statement = assert(pool:prepare(statements[kind]))
  local count, next_number = given.requests or 1000, 0
  local options = {
    consistency = given.consistency, tag = given.tag, timeout = given.timeout,
    isIdempotent = given.idempotent or kind == "read" or kind == "scan",
  }
  local result = { requests = count, failures = 0, errors = {}, answered = {} }
  local before, latencies, counted = asked_of(self, pool), {}, pool:getStats()
  local fixed, computed = type(given.key) == "number" and given.key, type(given.key) == "function" and given.key
  local function worker()
    while next_number < count do
      next_number = next_number + 1
      local key = fixed or computed and computed(next_number) or next_number
      local answer, err = pool:execute(statement, kind ~= "scan" and { key } or nil, options)
      if answer then
        local info = answer.info
        local host = self.addresses[info.host] or info.host
        result.answered[host] = (result.answered[host] or 0) + 1
        latencies[#latencies + 1] = info.latencyMs
      else
        result.failures = result.failures + 1
        result.errors[err.code] = (result.errors[err.code] or 0) + 1
        result.firstError = result.firstError or tostring(err)
      end
    end
    return true
  end
  local workers = {}
  for i = 1, math.min(given.concurrency or CONCURRENCY, count) do workers[i] = moonpool.spawn(worker) end
  assert(moonpool.all(workers))
  result.asked = asked_of(self, pool)
  for host, number in pairs(result.asked) do result.asked[host] = number - (before[host] or 0) end
  result.latency = percentiles(latencies)
  local stats = pool:getStats()
  result.attempts = stats.attempts - counted.attempts
  result.speculative = stats.speculative - counted.speculative
  result.speculativeWins = stats.speculativeWins - counted.speculativeWins
  result.serving = pool:getMetrics().servingDataCenter
  local info = pool:policies().balance
  result.policy = { name = info.name, calls = info.calls, errors = info.errors, lastError = info.lastError }
  local shadow = pool:policies().shadow
  result.shadow = shadow and shadow.agreement
  return result
end

-- { requests, policy, options, retry, retryOptions, speculate, speculateOptions, shadow, shadowOptions, consistency,
-- key, kind, tag, concurrency, timeout, idempotent }: { requests, failures, errors = { CODE = n },
-- asked = { ["east/1"] = n }, answered, latency = { p50, ... }, attempts, speculative, speculativeWins, policy,
-- shadow }.
function testing.run(given)
  given = given or {}
  check_keys("run", given, run_keys)
  if given.kind and not statements[given.kind] then error("run: kind is read, write, lwt or scan", 2) end
  local self = given.cluster or current or testing.cluster()
  return self.world:run(send_all, self, given)
end

-- ---- playbooks and handlers -------------------------------------------------------------------------------

local playbook_keys = set_of("file", "dryRun", "commands", "cluster")
for _, question in ipairs(questions) do playbook_keys[question.policy], playbook_keys[question.options] = true, true end

local function file_and_options(what, given)
  if type(given) == "string" then given = { file = given } end
  check_keys(what, given, playbook_keys)
  if type(given.file) ~= "string" then error(what .. ": the path of a file expected", 3) end
  local self = given.cluster or current or testing.cluster()
  self.is_automated = true
  return automation.find(given.file, testing.paths), given, self
end

-- A playbook in force from now on, in the pool that run{} uses: its path, or { file, dryRun, commands = { [program] =
-- function(argv) return status, output end }, policy, ... }. For expect().
function testing.playbook(options)
  local path, given, self = file_and_options("playbook", options)
  return self.world:run(function() return automation.playbook(self, path, given, pool_of(self, given)) end)
end

-- A handlers file in force from now on, in that pool; the next one takes its place. For expect().
function testing.handlers(options)
  local path, given, self = file_and_options("handlers", options)
  return self.world:run(function() return automation.handlers(self, path, pool_of(self, given)) end)
end

testing.expect = automation.expect

return testing
