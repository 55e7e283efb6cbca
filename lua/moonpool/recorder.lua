-- SPDX-License-Identifier: Apache-2.0
-- What has happened to a pool, for those who ask afterwards: its events but the figures, numbered from 1, the last 512
-- of them. It begins when somebody asks for it first, and goes with the pool.
local core = require "moonpool.core_loader"

local MOST_EVENTS = 512

local recorder = {}

local Recorder = {}
Recorder.__index = Recorder

local recorders = setmetatable({}, { __mode = "k" }) -- by pool

-- A table that says itself what it is (an error) is a text, any other (the figures of a canary) a copy.
local function shown(value)
  if type(value) == "string" then return core.redact(value) end
  if type(value) ~= "table" then return value end
  local meta = getmetatable(value)
  if meta and (type(meta) ~= "table" or meta.__tostring) then return core.redact(tostring(value)) end
  local copy = {}
  for field, each in pairs(value) do copy[field] = shown(each) end
  return copy
end

-- { number, event, at = milliseconds since 1970, and host and reason, or what = its fields }
local function note(self, name, what, why)
  self.last = self.last + 1
  local event = { number = self.last, event = name, at = math.floor(core.wallClock()) }
  if type(what) == "table" then
    event.what = {}
    for field, value in pairs(what) do event.what[field] = shown(value) end
  else
    event.host, event.reason = shown(what), shown(why)
  end
  self.list[self.last] = event
  if self.last - self.first >= MOST_EVENTS then
    self.list[self.first], self.first = nil, self.first + 1
  end
  for _, listener in ipairs(self.listeners) do listener(event) end
end

-- That of a pool. `listener`, when it is given, is called with each event from now on, in a handler of the pool.
function recorder.of(pool, listener)
  local self = recorders[pool]
  if not self then
    self = setmetatable({ first = 1, last = 0, list = {}, listeners = {} }, Recorder)
    recorders[pool] = self
    for _, name in ipairs(core.eventNames()) do
      if name ~= "metrics" then pool:on(name, function(what, why) note(self, name, what, why) end) end
    end
  end
  self.listeners[#self.listeners + 1] = listener
  return self
end

-- Those after event `number`, the number of the last one, and how many of them are not kept any more.
function Recorder:since(number)
  local list = {}
  for at = math.max(self.first, number + 1), self.last do list[#list + 1] = self.list[at] end
  return list, self.last, math.max(0, self.first - 1 - number)
end

return recorder
