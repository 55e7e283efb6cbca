-- SPDX-License-Identifier: Apache-2.0
-- What another policy would have done with the requests of a decision log (docs/decision-log.md): asked about each
-- record as it was, with the same random bits and the same place in turn, and counted beside what was planned then.
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"

local replay = {}

local VERSION = 1
local TELLING = 10 -- differences that are kept whole, and as many of each kind until the end

local Replay = {}
Replay.__index = Replay

local function side()
  return { planned = 0, left = 0, replicas = 0, at_replica = 0, noHost = 0, measured = 0, us = 0, fallbacks = 0,
    hosts = {}, racks = {}, datacenters = {} }
end

-- A replay by the policy of that name or path, or nil and why not. `options`: a text, the fields of a Lua table.
function replay.new(policy, options, paths)
  local asked, name = core.rehearse(policy, options and "{" .. options .. "}" or nil, paths or {})
  if not asked then return nil, name end
  return setmetatable({
    asked = asked, policy = name, decisions = 0, skipped = 0, differ = 0, errors = 0, old = side(), new = side(),
    policies = {}, why = {}, kinds = {},
  }, Replay)
end

local function add(counts, key) counts[key] = (counts[key] or 0) + 1 end

-- `planned`: the plan's first host, { host, step }, or nil.
local function count(into, record, planned, hosts, knows_replicas)
  if not planned or not hosts[planned.host] then
    into.noHost = into.noHost + 1
    return nil
  end
  local host = hosts[planned.host]
  into.planned = into.planned + 1
  if not host.isLocal then into.left = into.left + 1 end
  if knows_replicas then
    into.replicas = into.replicas + 1
    if host.replica then into.at_replica = into.at_replica + 1 end
  end
  if host.latencyUs then into.measured, into.us = into.measured + 1, into.us + host.latencyUs end
  if record.fallback then into.fallbacks = into.fallbacks + 1 end
  add(into.hosts, host.host)
  add(into.racks, (host.datacenter or "?") .. "/" .. (host.rack or "?"))
  add(into.datacenters, host.datacenter or "?")
  return host
end

local function reason(steps, planned, refused)
  if refused then return "refused" end
  return planned and steps[planned.step] or "no host"
end

-- How much a difference tells: that a request leaves the datacentre more than that it is slower.
local function weight(before, now, refused)
  if not before or not now then return refused and 6 or 5 end
  local score = 0
  if before.isLocal and not now.isLocal then score = score + 4 end
  if before.replica and not now.replica then score = score + 2 end
  if before.latencyUs and now.latencyUs then
    score = score + math.min(2, math.abs(math.log((now.latencyUs + 1) / (before.latencyUs + 1))))
  end
  return score + math.min(1, math.max(0, (now.inFlight or 0) - (before.inFlight or 0)) / 100)
end

-- Of each kind of difference those that tell most.
local function keep(self, kind, entry)
  local list = self.kinds[kind]
  if not list then
    list = {}
    self.kinds[kind] = list
  end
  if #list == TELLING and list[TELLING].score >= entry.score then return end
  list[#list + 1] = entry
  table.sort(list, function(a, b)
    if a.score ~= b.score then return a.score > b.score end
    return a.order < b.order
  end)
  list[TELLING + 1] = nil
end

-- What is read below has the shape that it needs; what is asked about is judged in C.
local function is_record(record)
  if type(record) ~= "table" or type(record.hosts) ~= "table" or type(record.request) ~= "table" then return false end
  for _, host in ipairs(record.hosts) do
    if type(host) ~= "table" or type(host.host) ~= "string" then return false end
    for _, name in ipairs { "latencyUs", "inFlight" } do
      if host[name] ~= nil and type(host[name]) ~= "number" then return false end
    end
    for _, name in ipairs { "datacenter", "rack" } do
      if host[name] ~= nil and type(host[name]) ~= "string" then return false end
    end
  end
  return true
end

-- A record, decoded; `where` is told with it. false: it is none.
function Replay:record(record, where)
  if not is_record(record) then return false end
  if record.version ~= VERSION then
    error(("%s: a record of version %s; this moonpool reads version %d"):format(where, tostring(record.version),
      VERSION), 0)
  end
  local found = core.askRehearsal(self.asked, record)
  if not found then return false end
  local hosts, knows_replicas = {}, false
  for _, host in ipairs(record.hosts) do
    hosts[host.host] = host
    knows_replicas = knows_replicas or host.replica ~= nil
  end
  self.decisions = self.decisions + 1
  if found.error then
    self.errors, self.last_error = self.errors + 1, found.error
  end
  add(self.policies, record.policy or "?")
  local first = not record.refused and (record.plan or {})[1] or nil
  local before = count(self.old, record, first, hosts, knows_replicas)
  local planned = not found.refused and found.plan[1] or nil
  local now = count(self.new, found, planned, hosts, knows_replicas)
  if (before and before.host) == (now and now.host) and (record.refused or false) == found.refused then return true end
  self.differ = self.differ + 1
  local kind = reason(record.steps or {}, first, record.refused) .. "  ->  " ..
    reason(found.steps, planned, found.refused)
  add(self.why, kind)
  keep(self, kind, { score = weight(before, now, found.refused), order = self.decisions, record = record,
    found = found, where = where })
  return true
end

-- Lines of a file. nil and why not.
function Replay:file(path)
  local file, why = io.open(path, "r")
  if not file then return nil, why end
  local number = 0
  for line in file:lines() do
    number = number + 1
    local record = json.decode(line)
    if not self:record(record, path .. ":" .. number) then self.skipped = self.skipped + 1 end
  end
  file:close()
  return true
end

local function share(part, whole) return whole > 0 and part / whole or 0 end

local function most(counts, whole)
  local highest = 0
  for _, number in pairs(counts) do highest = math.max(highest, number) end
  return share(highest, whole)
end

-- Numbers by name: what --fail-if reads. Those of then end by "Before".
function Replay:figures()
  local figures = { decisions = self.decisions, skipped = self.skipped, errors = self.errors,
    differ = share(self.differ, self.decisions), differing = self.differ }
  for ending, of in pairs { [""] = self.new, Before = self.old } do
    figures["leftDatacenter" .. ending] = share(of.left, of.planned)
    figures["atReplica" .. ending] = share(of.at_replica, of.replicas)
    figures["noHost" .. ending] = share(of.noHost, self.decisions)
    figures["fallbacks" .. ending] = share(of.fallbacks, self.decisions)
    figures["latencyMs" .. ending] = share(of.us, of.measured) / 1000
    figures["unmeasured" .. ending] = share(of.planned - of.measured, of.planned)
    figures["busiestHost" .. ending] = most(of.hosts, of.planned)
  end
  return figures
end

-- Load by host, rack and datacentre, as shares of the requests that had a host: { hosts = { name = { before, now } } }.
function Replay:load()
  local load = {}
  for _, what in ipairs { "hosts", "racks", "datacenters" } do
    load[what] = {}
    for index, of in ipairs { self.old, self.new } do
      for name, number in pairs(of[what]) do
        load[what][name] = load[what][name] or { 0, 0 }
        load[what][name][index] = share(number, of.planned)
      end
    end
  end
  return load
end

-- Why first hosts differ: { why, count }, the most frequent first.
function Replay:reasons()
  local list = {}
  for why, number in pairs(self.why) do list[#list + 1] = { why = why, count = number } end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.why < b.why
  end)
  return list
end

-- The ten most telling differences, { record, found, where }: of each kind the best first, then what is left.
function Replay:telling()
  local rounds = {}
  for _, list in pairs(self.kinds) do
    for i, entry in ipairs(list) do rounds[#rounds + 1] = { i, entry } end
  end
  table.sort(rounds, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    if a[2].score ~= b[2].score then return a[2].score > b[2].score end
    return a[2].order < b[2].order
  end)
  local list = {}
  for i = 1, math.min(TELLING, #rounds) do list[i] = rounds[i][2] end
  return list
end

return replay
