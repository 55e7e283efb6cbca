-- SPDX-License-Identifier: Apache-2.0
-- A playbook as its file defines it: `return playbook { name = ..., when = ..., run = function(run) ... end }`. A file
-- gives one definition that is checked as a whole, or nothing: what it says is wrong with its line.
--
-- A definition: { name, path, text, when = nil | { event, lasting } | { condition, lasting, every } | { every },
-- guard, timeout, coolDown, atMost = { count, per }, blastRadius, run, cancel, onReload }; times in milliseconds.
local chunk = require "moonpool.chunk"
local core = require "moonpool.core_loader"
local duration = require "moonpool.duration"
local nearest = require "moonpool.nearest"
local secrets = require "moonpool.secrets"

local format = string.format

local file = {}

-- What must have happened for an event to hold no longer. Only such an event can last.
file.opposite = {
  hostDown = "hostUp", hostUp = "hostDown", hostAdded = "hostRemoved", hostRemoved = "hostAdded",
  breakerOpen = "breakerClose",
}

local LARGEST_RADIUS = 1 / 3

local function problem(text, ...) error({ message = format(text, ...) }, 0) end

local function time(what, value, default)
  if value == nil then return default end
  local ms, why = duration.ms(value)
  if not ms then problem("%s: %s", what, why) end
  return ms
end

local function check_keys(what, given, known)
  for key in pairs(given) do
    if not known[key] then problem("%s: there is no '%s'%s", what, tostring(key), nearest.hint(key, known)) end
  end
end

local function needs_function(what, value, must)
  if value == nil and not must then return end
  if type(value) ~= "function" then problem("%s: a function expected, got %s", what, type(value)) end
end

local WHEN = { event = true, condition = true, every = true, lasting = true }

local function check_when(when)
  if when == nil then return nil end
  if type(when) ~= "table" then problem("when: a table expected, got %s", type(when)) end
  check_keys("when", when, WHEN)
  local checked = { lasting = time("when.lasting", when.lasting, 0), every = time("when.every", when.every) }
  if when.event ~= nil then
    if when.condition ~= nil or when.every ~= nil then problem "when: either an event, a condition or a time" end
    local known = {}
    for _, name in ipairs(core.eventNames()) do known[name] = true end
    if not known[when.event] then
      problem("when.event: there is no event '%s'%s", tostring(when.event), nearest.hint(when.event, known))
    end
    if checked.lasting > 0 and not file.opposite[when.event] then
      problem("when.lasting: '%s' happens, it does not last; leave it out", when.event)
    end
    checked.event = when.event
    return checked
  end
  needs_function("when.condition", when.condition)
  if not when.condition and not checked.every then problem "when: an event, a condition or every = \"1m\" expected" end
  if not when.condition and when.lasting ~= nil then problem "when.lasting: it takes an event or a condition" end
  checked.condition = when.condition
  checked.every = checked.every or 1000
  if checked.every < 1000 then problem "when.every: at least a second" end
  return checked
end

local function check_rate(value)
  if value == nil then value = { 6, per = "1h" } end
  if type(value) ~= "table" then problem('atMost: { count, per = "1h" } expected, got %s', type(value)) end
  check_keys("atMost", value, { true, per = true })
  local count = value[1]
  if type(count) ~= "number" or count < 1 or count > 1000 or count % 1 ~= 0 then
    problem "atMost: a whole number of runs from 1 to 1000 expected"
  end
  return { count = count, per = time("atMost.per", value.per, 3600000) }
end

local KEYS = { name = true, when = true, guard = true, timeout = true, coolDown = true, atMost = true,
  blastRadius = true, run = true, cancel = true, onReload = true }

local function check(given)
  if type(given) ~= "table" then problem("playbook { ... } expected, got %s", type(given)) end
  check_keys("playbook", given, KEYS)
  if type(given.name) ~= "string" or not given.name:find "^[%w_.-]+$" or #given.name > 64 then
    problem "name: a text of letters, digits, _, . and - expected, at most 64"
  end
  needs_function("run", given.run, true)
  needs_function("guard", given.guard)
  needs_function("cancel", given.cancel)
  local radius = given.blastRadius == nil and LARGEST_RADIUS or given.blastRadius
  if type(radius) ~= "number" or not (radius > 0 and radius <= LARGEST_RADIUS + 1e-9) then
    problem "blastRadius: more than 0 and at most 1/3, which all playbooks share"
  end
  if given.onReload ~= nil and given.onReload ~= "finish" and given.onReload ~= "cancel" then
    problem 'onReload: "finish" or "cancel"'
  end
  local timeout = time("timeout", given.timeout, 600000)
  if timeout < 1 then problem "timeout: more than nothing" end
  return {
    name = given.name, when = check_when(given.when), guard = given.guard, run = given.run, cancel = given.cancel,
    timeout = timeout, coolDown = time("coolDown", given.coolDown, 600000), atMost = check_rate(given.atMost),
    blastRadius = radius, onReload = given.onReload or "finish",
  }
end

local function make(loaded)
  local made, count = nil, 0
  local env = setmetatable({}, { __index = _G })
  function env.playbook(given)
    count = count + 1
    made = given
    return given
  end
  setfenv(loaded, env)
  jit.off(loaded, true) -- what is compiled cannot be stopped
  local ok, result = chunk.run(loaded, chunk.text_of)
  if not ok then return nil, result end
  if count ~= 1 or result ~= made then
    return nil, "the file must return one playbook { ... }, got " .. (count > 1 and count .. " of them" or type(result))
  end
  local checked, definition = pcall(check, made)
  if checked then return definition end
  return nil, chunk.text_of(definition)
end

--- The definition in the file at `path`, or nil and a message that begins with its place.
function file.load(path)
  local text, why = core.readFile(path)
  if not text then return nil, why end
  local loaded, definition
  loaded, why = chunk.compile(text, path)
  if loaded then definition, why = make(loaded) end
  if not definition then
    why = core.redact(secrets.about(text, why))
    return nil, why:find(path .. ":", 1, true) == 1 and why or format("%s:1: %s", path, why)
  end
  definition.path, definition.text = path, text
  return definition
end

--- The files that `paths` (files and folders) mean, in order; or nil and a message.
function file.list(paths)
  local list, seen = {}, {}
  local function add(path)
    if not seen[path] then list[#list + 1] = path end
    seen[path] = true
  end
  for _, path in ipairs(paths) do
    local names = core.listFolder(path)
    if names then
      table.sort(names)
      for _, name in ipairs(names) do
        local is_spec = name:find "_spec%.lua$" or name:find "_test%.lua$"
        if name:find "%.lua$" and not is_spec then add(path .. "/" .. name) end
      end
    else
      add(path)
    end
  end
  return list
end

return file
