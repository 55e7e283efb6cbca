-- SPDX-License-Identifier: Apache-2.0
-- What keeps automation from making it worse, over all playbooks of a pool: a host is in the hands of one run at a
-- time; never more than a third of the hosts are out of use, and never the last of a datacentre; a playbook rests after
-- a run, and runs no more often than it says.
local duration = require "moonpool.duration"

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
  local till = self.rests[key(definition.name, host)]
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
end

function Limits:ended(definition, host)
  self.rests[key(definition.name, host)] = self.now() + definition.coolDown
end

--- Somebody has seen what happened: that playbook may begin again. How many rests that ended.
function Limits:acknowledge(name, host)
  local count = 0
  for each, till in pairs(self.rests) do
    local matches = host and each == key(name, host) or not host and each:sub(1, #name + 1) == name .. " "
    if matches and till > self.now() then count = count + 1 end
    if matches then self.rests[each] = nil end
  end
  return count
end

return limits
