-- SPDX-License-Identifier: Apache-2.0
-- What keeps automation from making it worse, over all playbooks of a pool: a host is in the hands of one run at a
-- time; never more than a third of the hosts are out of use, and never the last of a datacentre; a playbook rests after
-- a run, and runs no more often than it says. How often is kept where there is a folder, by the clock on the wall: a
-- process that is started again rests no shorter.
local core = require "moonpool.core_loader"
local duration = require "moonpool.duration"
local json = require "moonpool.cli.json"
local memory = require "moonpool.playbook.memory"

local format = string.format

local HAND = { count = 60, per = 60000 } -- runs that are begun by hand

local Limits = {}
Limits.__index = Limits

local limits = {}

--- `now()` in milliseconds; `hosts()` as pool:getHosts().
function limits.new(now, hosts)
  -- claims[host] = run; rests[name and host] = until when; starts[name] = { when, ... }
  return setmetatable({ now = now, hosts = hosts, claims = {}, rests = {}, starts = {} }, Limits)
end

-- ---- across restarts --------------------------------------------------------------------------------------

local LONGEST = 16 * 1024 * 1024 -- of the file

-- Its times as differences from now, checked: it was written by a process that may have been another version.
local function restore(self, kept, wall)
  local now = self.now()
  for each, till in pairs(type(kept.rests) == "table" and kept.rests or {}) do
    if type(till) == "number" and till > wall then self.rests[each] = now + (till - wall) end
  end
  for name, list in pairs(type(kept.starts) == "table" and kept.starts or {}) do
    local starts = {}
    for _, at in ipairs(type(list) == "table" and list or {}) do
      if type(at) == "number" then starts[#starts + 1] = now - math.max(0, wall - at) end
    end
    if #starts > 0 then self.starts[name] = starts end
  end
end

--- Reads what was kept in that folder, and keeps it there from now on; nil: nowhere. `log(level, text)`.
function Limits:keep(folder, log)
  self.folder, self.path, self.log = folder, folder and folder .. "/limits.json", log
  local handle = folder and io.open(self.path, "r")
  if not handle then return end
  local text = handle:read(LONGEST)
  handle:close()
  local kept = text and json.decode(text)
  if type(kept) == "table" then return restore(self, kept, core.wallClock()) end
  log("warn", self.path .. ": these are no limits of playbooks; no cool-down is known")
end

local function save(self)
  if not self.path then return end
  local shift, now = core.wallClock() - self.now(), self.now()
  local rests, starts = {}, {}
  for each, till in pairs(self.rests) do
    if till > now then rests[each] = math.floor(till + shift) end
  end
  for name, list in pairs(self.starts) do
    starts[name] = {}
    for i, at in ipairs(list) do starts[name][i] = math.floor(at + shift) end
  end
  local ok, why = memory.write(self.folder, self.path, json.encode { rests = rests, starts = json.data(starts) })
  if ok then
    self.failing = nil
  elseif not self.failing then
    self.failing = true -- told once, until it works again
    self.log("error", format("the cool-downs of playbooks cannot be kept: %s", tostring(why)))
  end
end

-- ---- one run for a host -----------------------------------------------------------------------------------

--- Takes the host for that run: true, or nil and who has it.
function Limits:claim(host, run)
  local owner = self.claims[host]
  if owner and owner ~= run then
    return nil, format("%s is in the hands of playbook %s, run %d", host, owner.name, owner.number)
  end
  self.claims[host] = run
  return true
end

function Limits:release(run)
  for host, owner in pairs(self.claims) do
    if owner == run then self.claims[host] = nil end
  end
end

-- ---- blast radius -----------------------------------------------------------------------------------------

--- May that host be taken out of use, too? true, or nil and why not.
function Limits:may_remove(address, radius)
  local out, total, left, of = 0, 0, 0, nil
  local hosts = self.hosts()
  for _, host in ipairs(hosts) do
    if host.address == address then of = host end
    if host.distance ~= "ignored" then
      total = total + 1
      if host.held and host.address ~= address then out = out + 1 end
    end
  end
  if not of then return nil, "there is no host " .. tostring(address) end
  if of.status ~= "up" then return true end -- nothing is lost by it
  for _, host in ipairs(hosts) do
    if host.datacenter == of.datacenter and host.address ~= address and host.status == "up" then left = left + 1 end
  end
  local most = math.floor(total * radius + 1e-9)
  if out + 1 > most then
    return nil, format("%d of %d hosts are out of use already, and with %s it would be more than %d", out, total,
      address, most)
  end
  if left == 0 then return nil, format("%s is the last host of datacentre %s that is up", address, of.datacenter) end
  return true
end

-- ---- how often --------------------------------------------------------------------------------------------

local function key(name, host) return name .. " " .. (host or "") end

-- How many of its starts are younger than `per`; older ones are forgotten where they do not count any more.
local function recent(self, definition, per)
  local now, count, kept = self.now(), 0, {}
  for _, at in ipairs(self.starts[definition.name] or {}) do
    if now - at < per then count = count + 1 end
    if now - at < math.max(definition.atMost.per, HAND.per) then kept[#kept + 1] = at end
  end
  self.starts[definition.name] = kept
  return count
end

--- May that playbook begin now, by hand? true, or nil and why not: a script may be the hand.
function Limits:may_begin_by_hand(definition)
  if recent(self, definition, HAND.per) < HAND.count then return true end
  return nil, format("it was begun %d times within %s", HAND.count, duration.text(HAND.per))
end

--- May that playbook begin now, by itself? true, or nil and why not.
function Limits:may_begin(definition, host)
  local now = self.now()
  local each = key(definition.name, host)
  local till = self.rests[each]
  if till and till > now + definition.coolDown then -- the clock was set back, or the file says less by now
    till = now + definition.coolDown
    self.rests[each] = till
  end
  if till and till > now then
    return nil, format("it cools down for another %s; `moonpool playbook ack %s` ends that",
      duration.text(till - now), definition.name)
  end
  local count = recent(self, definition, definition.atMost.per)
  if count >= definition.atMost.count then
    return nil, format("it ran %d times within %s, as often as it may", count, duration.text(definition.atMost.per))
  end
  return true
end

function Limits:began(definition)
  local starts = self.starts[definition.name] or {}
  starts[#starts + 1] = self.now()
  self.starts[definition.name] = starts
  save(self)
end

function Limits:ended(definition, host)
  self.rests[key(definition.name, host)] = self.now() + definition.coolDown
  save(self)
end

--- Somebody has seen what happened: that playbook may begin again. How many rests that ended.
function Limits:acknowledge(name, host)
  local count = 0
  for each, till in pairs(self.rests) do
    local matches = host and each == key(name, host) or not host and each:sub(1, #name + 1) == name .. " "
    if matches and till > self.now() then count = count + 1 end
    if matches then self.rests[each] = nil end
  end
  save(self)
  return count
end

return limits
