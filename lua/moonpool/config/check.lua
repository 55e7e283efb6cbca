-- SPDX-License-Identifier: Apache-2.0
-- Judges a table by a schema (config/schema.lua): every problem is found, each with the key, what was given and what is
-- allowed; of very many the first are told, and how many more there are. What is fine is laid into a flat table for C.
local address = require "moonpool.address"
local nearest = require "moonpool.nearest"
local adaptive = require "moonpool.config.adaptive"
local kinds = require "moonpool.config.kinds"
local secrets = require "moonpool.secrets"

local format = string.format

local MOST = 20 -- problems that are told, and warnings

local Check = {}
Check.__index = Check

-- `place(path)` gives the "FILE:LINE" of a key, "" when there is none; relative paths begin at `folder`.
local function new(place, folder)
  return setmetatable({
    place = place, folder = folder, problems = { count = 0 }, warnings = { count = 0 }, flat = {}, values = {},
  }, Check)
end

local function located(self, path, last, text)
  local where, key = self.place(path), secrets.path(path) .. last
  return (where == "" and "" or where .. ": ") .. (key == "" and "" or key .. ": ") .. text
end

-- `text` may be a function that makes it: what is not told costs nothing.
local function add(self, list, path, last, text)
  list.count = list.count + 1
  if list.count > MOST then return end
  list[list.count] = located(self, path, last, type(text) == "function" and text() or text)
end

-- `path` is a list of keys, `last` an addition for readers ("[1]").
function Check:problem(path, last, text) add(self, self.problems, path, last, text) end
function Check:warn(path, last, text) add(self, self.warnings, path, last, text) end

-- A problem: what was given, and what is allowed.
function Check:wrong(path, last, value, allowed)
  self:problem(path, last, function() return secrets.got(value, path) .. "; " .. allowed end)
end

-- The lines to tell of self.problems or self.warnings.
function Check:told(list)
  local lines = {}
  for i = 1, math.min(list.count, MOST) do lines[i] = list[i] end
  if list.count > MOST then
    lines[MOST + 1] = located(self, {}, "", format("%d more like these are not shown", list.count - MOST))
  end
  return lines
end

local function extend(path, key)
  local longer = {}
  for i, part in ipairs(path) do longer[i] = part end
  longer[#longer + 1] = key
  return longer
end

-- A schema's line is { name, kind = ..., ... } or { name, { kind = ..., ... }, refused = ... }.
local function rule_of(line)
  local rule = type(line[2]) == "table" and line[2] or line
  if line.refused then rule = setmetatable({ refused = line.refused }, { __index = rule }) end
  return rule
end

local function by_text(a, b) return tostring(a) < tostring(b) end

local function known_names(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

-- A problem: the last part of `path` is none of the keys `known`.
function Check:unknown(path, known)
  self:problem(path, "", function()
    local close = nearest.of(tostring(path[#path]), known)
    return close and format("there is no such key, did you mean %s?", close)
      or "there is no such key; known here: " .. known_names(known)
  end)
end

local function unknown_keys(self, path, given, known)
  local unknown = {}
  for key in pairs(given) do
    if not known[key] then unknown[#unknown + 1] = key end
  end
  table.sort(unknown, by_text)
  for _, key in ipairs(unknown) do self:unknown(extend(path, key), known) end
end

local NOTES_ITS_KEYS = { section = true, regions = true, defaults = true, profiles = true }

function Check:value(path, rule, value)
  local before = self.problems.count
  if rule.refused then return self:problem(path, "", rule.refused) end
  local result = kinds[rule.kind](self, path, rule, value)
  if self.problems.count > before then return end
  if not NOTES_ITS_KEYS[rule.kind] then -- those have noted their keys
    self.values[#self.values + 1] = { key = table.concat(path, "."), rule = rule, value = result }
  end
  if rule.to then self.flat[rule.to] = result end
end

-- The key that a section's policy is noted under: where there always is one, the section's own.
local function policy_key(path, rule) return table.concat(path, ".") .. (rule.policy and "" or ".policy") end

-- The policy in a section that may have one: every key that is not the section's own is an option of it.
local function split_policy(self, path, rule, given, known)
  local own, options = {}, {}
  for key, value in pairs(given) do
    if known[key] then own[key] = value else options[key] = value end
  end
  local before = self.problems.count
  local choice = kinds.options(self, path, { policy = rule.policy }, options)
  if self.problems.count == before then
    self.flat[rule.options] = choice
    self.values[#self.values + 1] = { key = policy_key(path, rule), rule = { kind = "options" }, value = choice }
  end
  return own
end

function Check:section(path, rule, given)
  if type(given) ~= "table" then return self:wrong(path, "", given, "must be a table") end
  local known = {}
  for _, line in ipairs(rule.keys) do known[line[1]] = rule_of(line) end
  if rule.options and (rule.policy or given.policy ~= nil) then given = split_policy(self, path, rule, given, known) end
  if rule.options then known.policy = rule end
  unknown_keys(self, path, given, known)
  for _, line in ipairs(rule.keys) do
    local key = line[1]
    local value = given[key]
    if value ~= nil then self:value(extend(path, key), known[key], value) end
    if value ~= nil and known[key].needs and given[known[key].needs] == nil then
      self:problem(extend(path, known[key].needs), "", format("must be given beside %s", key))
    end
  end
end

-- Only this machine's own users reach it.
local function is_private(place)
  return place.path ~= nil or place.host:find "^127%." ~= nil or address.canonical(place.host) == "0:0:0:0:0:0:0:1"
end

-- What follows from two keys together.
local function compare(self)
  local flat = self.flat
  if flat.httpListen and not flat.httpToken and not is_private(flat.httpListen) then
    self:problem({ "http", "listen" }, "", format("other machines reach %s: give http.token a secret of 16 characters "
      .. "or more, or listen at 127.0.0.1", address.join(flat.httpListen.host, flat.httpListen.port)))
  end
  local core, max = flat.core or {}, flat.max or {}
  for _, distance in ipairs { "local", "remote" } do
    local name = distance == "local" and "['0']" or "['1']"
    if core[distance] and max[distance] and core[distance] > max[distance] then
      self:problem({ "pooling", "coreConnectionsPerHost" }, name, format("got %d (number); must be at most "
        .. "maxConnectionsPerHost%s, which is %d", core[distance], name, max[distance]))
    end
  end
  if core["local"] == 0 then
    self:problem({ "pooling", "coreConnectionsPerHost" }, "['0']", "got 0 (number); must be an integer, 1 or more")
  end
  if flat.attemptTimeout and flat.requestTimeout and flat.attemptTimeout > flat.requestTimeout then
    self:problem({ "attemptTimeout" }, "", format("got %d (number); must be at most requestTimeout, which is %d",
      flat.attemptTimeout, flat.requestTimeout))
  end
  if flat.reconnectBase and flat.reconnectMax and flat.reconnectBase > flat.reconnectMax then
    self:problem({ "pooling", "reconnectBaseDelay" }, "", format("got %d (number); must be at most "
      .. "reconnectMaxDelay, which is %d", flat.reconnectBase, flat.reconnectMax))
  end
  for _, name in ipairs { "reconnectBase", "reconnectMax" } do
    if flat.reconnect and flat[name] then
      self:warn({ "pooling", name .. "Delay" }, "", "has no effect: reconnection.policy decides, "
        .. tostring(flat.reconnect.policy))
    end
  end
  local delay = flat.speculate and flat.speculate.options.delay
  if type(delay) == "number" and flat.requestTimeout and delay >= flat.requestTimeout then
    self:warn({ "speculativeExecution", "delay" }, "", format("has no effect: requests end before, by requestTimeout, "
      .. "which is %d", flat.requestTimeout))
  end
  local moves = flat.failoverEnabled ~= false and flat.failoverMaxRetries ~= 0
  for _, key in ipairs { "MaxRetries", "RetryDelay", "Backoff" } do
    if flat.failoverEnabled == false and flat["failover" .. key] then
      local name = key == "Backoff" and "backoffMultiplier" or key:sub(1, 1):lower() .. key:sub(2)
      self:warn({ "failover", name }, "", "has no effect: failover.enabled is false")
    end
  end
  if flat.failover and flat.failoverEnabled == false then
    self:warn({ "failover", "policy" }, "", "has no effect: failover.enabled is false")
    flat.failover = nil
  end
  if flat.failoverAllowLocal ~= nil and not flat.failover then
    self:warn({ "failover", "allowLocalConsistency" }, "", "has no effect without failover.policy")
  end
  if flat.failover and core.remote == 0 then
    self:problem({ "pooling", "coreConnectionsPerHost" }, "['1']",
      "got 0 (number); must be 1 or more with failover.policy, which has to see whether remote hosts are up")
  end
  if flat.attemptTimeout and not moves then
    self:warn({ "attemptTimeout" }, "", "has no effect: by failover no request goes on to another host")
  end
  for flat_key, name in pairs {
    breakerThreshold = "failureThreshold", breakerRecovery = "recoveryTimeout", breakerTrials = "halfOpenMaxCalls",
  } do
    if flat[flat_key] and not flat.breakerEnabled then
      self:warn({ "circuitBreaker", name }, "", "has no effect: circuitBreaker.enabled is not true")
    end
  end
  for _, key in ipairs { "batchSize", "batchTimeout" } do
    if flat[key] and not flat.batching then
      self:warn({ "pooling", key }, "", "has no effect: pooling.enableBatching is not true")
    end
  end
  if flat.shadowShare and not flat.shadow then
    self:warn({ "loadBalancing", "shadowShare" }, "", "has no effect without loadBalancing.shadow")
  elseif flat.shadowShare == 0 then
    self:warn({ "loadBalancing", "shadowShare" }, "", "0: the shadow is asked about no request")
  end
  if flat.decisionKeep and not flat.decisionFile then
    self:warn({ "decisionLog", "keep" }, "", "has no effect without decisionLog.file")
  end
  if flat.autoDiscovery == false and flat.discoveryInterval then
    self:warn({ "failover", "discoveryInterval" }, "", "has no effect: failover.autoDiscovery is false")
  end
  if flat.heartbeatInterval == 0 then
    self:warn({ "pooling", "heartBeatInterval" }, "", "0 switches heartbeats off: a silent connection is not noticed")
  end
  local ways = {}
  for _, name in ipairs { "username", "credentials", "authenticator" } do
    if flat[name] then ways[#ways + 1] = name end
  end
  if #ways > 1 then
    self:problem({ "auth", ways[2] }, "", format("cannot stand beside auth.%s: a pool has one way to say who it is",
      ways[1]))
  elseif #ways == 0 and flat.authRequired ~= nil then
    self:problem({ "auth", "username" }, "", "must be given beside required")
  end
  if flat.authRequired == false then
    self:warn({ "auth", "required" }, "", "false lets in a node that asks for no password, be it another cluster's; "
      .. "take it out once every node asks")
  end
  local used = flat.balance and flat.balance.options.usedHostsPerRemoteDc
  if type(used) == "number" and used > 0 and core.remote == 0 then
    self:warn({ "loadBalancing", "usedHostsPerRemoteDc" }, "",
      "has no effect: pooling.coreConnectionsPerHost['1'] is 0, so remote hosts get no connections")
  end
end

local SAMPLE = 0.01

-- The section alone switches it on, so that is a value, too: a file that gets it later has changed.
local function decisions(self, given)
  if type(given) ~= "table" or given.sample ~= nil then return end
  self:value({ "decisionLog", "sample" }, { kind = "number", min = 0, max = 1, to = "decisionSample" }, SAMPLE)
end

-- { flat, values, problems, warnings }, told(list).
return function(schema, given, place, folder)
  local self = new(place, folder)
  self:section({}, schema, given)
  local pooling = type(given.pooling) == "table" and given.pooling or {}
  adaptive(self, pooling.adaptivePooling)
  decisions(self, given.decisionLog)
  compare(self)
  return self
end
