-- SPDX-License-Identifier: Apache-2.0
-- The simulated cluster: nodes that speak CQL inside of this process.
--
--   sim.cluster{ nodes = 3 }   on real sockets, 127.0.0.1 upwards, served by the loop of this Lua state
--   sim.world{ seed = 1 }      in virtual time: world:run(fn) runs fn and what it starts until fn has returned;
--                              trace = true keeps the trace for world:trace(), log = "warn" shows warnings,
--                              beginMs = what moonpool.now() is at first (1000)
--
-- Nodes count from 1. Times are milliseconds.
local core = require "moonpool.core_loader"

local function load_simcore()
  local symbol = "luaopen_moonpool_simcore"
  local open = package.preload["moonpool.simcore"] or package.loadlib("", symbol)
    or assert(package.loadlib(core.library, symbol))
  return open()
end
local simcore = load_simcore()

local sim = {}

local cluster_options = {
  seed = true, nodes = true, dcs = true, racks = true, vnodes = true, port = true, maxVersion = true, rf = true,
  datacenters = true, keyspace = true, readTimeout = true, writeTimeout = true, detectTime = true, upTime = true,
  preparedLimit = true, outputLimit = true, clusterName = true, user = true, password = true, opPrefix = true,
  authRounds = true, firstAddress = true, tlsCert = true, tlsKey = true, tlsCa = true,
}

local function check_keys(options, allowed, what, also)
  for key in pairs(options) do
    if allowed[key] == nil and (also == nil or also[key] == nil) then
      error(what .. ": unknown key '" .. tostring(key) .. "'", 3)
    end
  end
end

-- ---- rules ------------------------------------------------------------------------------------------------

local opcodes, server_errors, consistencies = simcore.opcodes, simcore.serverErrors, simcore.consistencies
sim.serverErrors = server_errors

-- What a rule does: the key that says so, and where its value goes.
local actions = {
  delay = "delay", late = "delay", drop = false, swallow = false, error = "error", close = false, reset = false,
  cut = "at", raw = "raw", duplicate = false, stream = "stream", corrupt = "at", deaf = false, warn = "raw",
  damage = "at",
}
local rule_keys = {
  node = true, opcode = true, statement = true, connection = true, probability = true, skip = true, times = true,
  apply = true, hold = true, payload = true, spare = true,
}

local function error_fields(given)
  if type(given) ~= "table" then given = { code = given } end
  local code = server_errors[given.code] or tonumber(given.code)
  if not code then error("rule: error '" .. tostring(given.code) .. "' is no error of the protocol", 4) end
  return {
    code = code, message = given.message, consistency = consistencies[given.consistency or "ONE"],
    required = given.required, received = given.received, failures = given.failures,
    dataPresent = given.dataPresent and 1 or 0, writeType = given.writeType,
  }
end

local function rule_spec(given)
  check_keys(given, actions, "rule", rule_keys)
  local spec = {
    node = given.node, statement = given.statement, connection = given.connection, probability = given.probability,
    skip = given.skip, times = given.times, apply = given.apply and 1 or 0, delay = given.hold,
    at = given.payload and 1 or nil,
  }
  if given.opcode then
    local code = opcodes[given.opcode] or tonumber(given.opcode)
    if not code then error("rule: opcode '" .. tostring(given.opcode) .. "' is no request", 3) end
    spec.opcode = code + 1 -- 0 stands for any
  end
  for action, field in pairs(actions) do
    if given[action] then
      if spec.action then error("rule: '" .. spec.action .. "' and '" .. action .. "' exclude each other", 3) end
      spec.action = action
      if field == "error" then spec.error = error_fields(given.error)
      elseif field then spec[field] = given[action] end
      if action == "damage" then spec.raw = given.spare end
    end
  end
  if not spec.action then error("rule: nothing to do: delay, late, drop, swallow, error, close, reset, ...", 3) end
  return spec
end

local Rule = {}
Rule.__index = Rule

function Rule:remove() self.core:removeRule(self.number) end
function Rule:hits() return self.core:ruleHits(self.number) end

-- ---- clusters ---------------------------------------------------------------------------------------------

local Cluster = {}
Cluster.__index = Cluster

local function wrap_cluster(handle, options)
  local self = setmetatable({ core = handle }, Cluster)
  if options.rf then
    self:schema(string.format(
      "CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': %d}",
      options.keyspace or "ks", options.rf))
  end
  return self
end

function Cluster:kill(node) self.core:kill(node) end
function Cluster:start(node) self.core:start(node) end
function Cluster:pause(node) self.core:pause(node) end
function Cluster:resume(node) self.core:resume(node) end
function Cluster:drain(node) self.core:drain(node) end
function Cluster:removeNode(node) self.core:removeNode(node) end
function Cluster:setAddress(node, address) self.core:setAddress(node, address) end
-- What the tables and events say about where it is, wherever it is; nil: the truth.
function Cluster:advertise(node, address) self.core:advertise(node, address) end
function Cluster:setMaxVersion(node, version) self.core:setMaxVersion(node, version) end
function Cluster:setPreparedLimit(limit) self.core:setPreparedLimit(limit) end
function Cluster:setPassword(password) self.core:setPassword(password) end
function Cluster:close() self.core:close() end
function Cluster:schema(cql) self.core:schema(cql) end

-- { dc = 1, rack = 1, address = nil }: the number of the new node.
function Cluster:addNode(options)
  options = options or {}
  check_keys(options, { dc = true, rack = true, address = true }, "addNode")
  return self.core:addNode(options.dc or 1, options.rack or 1, options.address)
end

function Cluster:forgetPrepared(node)
  if node then return self.core:forgetPrepared(node) end
  for i = 1, self.core:size() do self.core:forgetPrepared(i) end
end

-- An event that nobody caused: sendEvent(1, "STATUS_CHANGE", "DOWN", "127.0.0.2").
function Cluster:sendEvent(node, kind, change, address) self.core:sendEvent(node, kind, change, address) end

function Cluster:rule(spec)
  return setmetatable({ core = self.core, number = self.core:addRule(rule_spec(spec)) }, Rule)
end

function Cluster:clearRules() self.core:clearRules() end

function Cluster:node(number) return self.core:node(number) end

function Cluster:nodes()
  local list = {}
  for i = 1, self.core:size() do list[i] = self.core:node(i) end
  return list
end

-- Requests (QUERY, PREPARE, EXECUTE) that a node has received; without a number: all nodes together.
function Cluster:requests(node)
  if node then return self.core:node(node).requests end
  local sum = 0
  for i = 1, self.core:size() do sum = sum + self.core:node(i).requests end
  return sum
end

-- How many statements that carry the operation's id reached a node (of all nodes together), and how many of them were
-- executed rather than turned away.
function Cluster:received(op, node) return self.core:received(op, node) end

-- The numbers of the nodes that keep a partition, its key given as bytes.
function Cluster:replicas(keyspace, key) return self.core:replicas(keyspace, key) end

function sim.cluster(options)
  options = options or {}
  check_keys(options, cluster_options, "sim.cluster")
  return wrap_cluster(simcore.cluster(options), options)
end

-- ---- worlds -----------------------------------------------------------------------------------------------

local World = {}
World.__index = World

function sim.world(options)
  options = options or {}
  check_keys(options, cluster_options, "sim.world", { trace = true, log = true, beginMs = true })
  local handle = simcore.world(options.seed or 1, options.trace or false, options.log, options.beginMs)
  local self = setmetatable({ core = handle, seed = options.seed or 1 }, World)
  self.cluster = wrap_cluster(handle:cluster(options), options)
  return self
end

-- Runs fn(...) in virtual time until it has returned; its results, or its error.
function World:run(fn, ...) return self.core:run(fn, ...) end

-- Everything must be closed by now, but the cluster, which closes here. Returns the hash of all that happened.
function World:close()
  local hash, left = self.core:close(self.cluster.core)
  if left then error("the world (seed " .. self.seed .. ") was left with " .. left, 2) end
  return hash
end

function World:trace() return self.core:trace() end
function World:now() return self.core:now() end
function World:jump(ms) self.core:jump(ms) end
function World:setWall(ms) self.core:setWall(ms) end
function World:setName(host, ...) self.core:setName(host, ...) end
function World:touch(path) self.core:touch(path) end

-- A node's number, or an address.
local function address_of(self, node)
  return type(node) == "number" and self.cluster.core:node(node).address or node
end

function World:latency(ms, jitter, node) self.core:latency(ms, jitter or 0, node and address_of(self, node)) end
function World:blackhole(node, on) self.core:blackhole(address_of(self, node), on ~= false) end
function World:partition(node, on) self.core:partition(address_of(self, node), on ~= false) end
function World:stall(node, on) self.core:stall(address_of(self, node), on ~= false) end
function World:failLocal(node, on) self.core:failLocal(address_of(self, node), on ~= false) end
function World:cut(node) return self.core:cut(address_of(self, node)) end

return sim
