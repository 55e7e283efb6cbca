-- SPDX-License-Identifier: Apache-2.0
-- One run of a playbook: what its functions are given, what they did, and how it ends.
--
--   running --returned--> done          --raised--> failed          --timeout, cancel, switched off--> cancelled
--
-- However it ends short of done, `cancel` is called and what was not taken back is undone, latest first. The functions
-- run in coroutines that may not hold the loop; a step of a run that is over raises. A function that waits for ever for
-- something else than a step is left behind: what it does afterwards is refused.
local core = require "moonpool.core_loader"
local duration = require "moonpool.duration"
local steps = require "moonpool.playbook.steps"

local format = string.format

local TURN_MS = 50 -- of computing without waiting
local LOOK_MS = 20
local CANCEL_MS = 60000
local GUARD_MS = 5000

local run = {}

-- What the functions of a playbook see: steps as methods, and fields.
local Handle = {}
Handle.__index = Handle

local function describe(step, ...)
  if step.what then return step.what(...) end
  local parts = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) ~= "function" and type(value) ~= "table" then parts[#parts + 1] = tostring(value) end
  end
  return #parts > 0 and table.concat(parts, " ") or nil
end

local function entry(state, name, step, result, ...)
  local now = core.now()
  state.audit:add {
    playbook = state.definition.name, run = state.number, host = step.host and (...) or state.host, step = name,
    what = describe(step, ...), why = state.why, result = result, dry = state.dry or nil,
    ms = math.floor(now - state.step_began + 0.5),
  }
end

local function check(handle)
  local state = handle.state
  if state.over and not handle.cancels then
    error({ message = "the run is over: " .. state.over }, 0)
  end
end

-- What a later end of the run must take back.
local function remember(state, name, step, before, ...)
  if step.undoes then
    for _, undone in ipairs(step.undoes) do
      for i = #state.undo, 1, -1 do
        if state.undo[i].name == undone and state.undo[i][1] == (...) then table.remove(state.undo, i) end
      end
    end
  end
  if step.undo then state.undo[#state.undo + 1] = { name = name, step = step, before = before, ... } end
end

local function allowed(state, step, address)
  if not step.host then return true end
  if type(address) ~= "string" then return nil, "a host expected, got " .. type(address) end
  local ok, why = state.limits:claim(address, state)
  if ok and step.removes then ok, why = state.limits:may_remove(address, state.definition.blastRadius) end
  return ok, why
end

local function message_of(err)
  local message = type(err) == "table" and rawget(err, "message")
  return type(message) == "string" and message or core.errorText(err)
end

local function perform(handle, name, step, ...)
  check(handle)
  local state = handle.state
  state.step_began = core.now()
  local ok, why = allowed(state, step, ...)
  if not ok then
    entry(state, name, step, "refused: " .. why, ...)
    error({ message = name .. ": " .. why }, 0)
  end
  if step.acts and state.dry then
    entry(state, name, step, "would be done", ...)
    return true
  end
  local before = step.before and step.before(handle, ...)
  local done, result = pcall(step.does, handle, ...)
  if not done then
    if not state.over or handle.cancels then entry(state, name, step, "failed: " .. message_of(result), ...) end
    error({ message = name .. ": " .. message_of(result) }, 0)
  end
  remember(state, name, step, before, ...)
  entry(state, name, step, "ok", ...)
  return result
end

for name, step in pairs(steps) do
  if type(step) == "table" then
    Handle[name] = function(handle, ...) return perform(handle, name, step, ...) end
  end
end

--- Whether the pool has connections to that host, be it paused or not.
function Handle:isConnected(address)
  check(self)
  for _, host in ipairs(self.pool:getHosts()) do
    if host.address == (address or self.host) then return host.connections > 0 end
  end
  return false
end

--- Whether that host (the run's own, if none is given) is up.
function Handle:isUp(address)
  check(self)
  for _, host in ipairs(self.pool:getHosts()) do
    if host.address == (address or self.host) then return host.status == "up" end
  end
  return false
end

--- A line in the audit.
function Handle:log(text)
  check(self)
  self.state.step_began = core.now()
  entry(self.state, "log", {}, nil, tostring(text))
end

local function handle_of(state, cancels)
  local handle = setmetatable({
    pool = state.pool, host = state.host, name = state.definition.name, number = state.number, why = state.why,
    memory = state.memory, commands = state.commands, is_dry = state.dry, isDry = state.dry, event = state.event,
    state = state, cancels = cancels,
  }, Handle)
  function handle.pause_for(ms)
    return steps.pause_for(ms, function() check(handle) end)
  end
  return handle
end

-- Waits for fn(...) until `deadline`, or until the run is over: true and its result, or nil and why not.
local function attend(state, fn, limit, minds_end, ...)
  local deadline = core.now() + limit
  local future = core.spawnLimited(TURN_MS, fn, ...)
  core.futureWatch(future)
  while not future:done() do
    if minds_end and state.over then return nil, state.over end
    if core.now() >= deadline then return nil, "it took longer than " .. duration.text(limit) end
    core.sleep(LOOK_MS)
  end
  local result, err = future:wait()
  if result == nil and err ~= nil then return nil, message_of(err) end
  return true, result
end

local function take_back(state)
  for i = #state.undo, 1, -1 do
    local undo = state.undo[i]
    state.step_began = core.now()
    local ok, result, err = pcall(undo.step.undo, state.main, undo.before, unpack(undo))
    local said = not ok and message_of(result) or (result == nil or result == false) and message_of(err) or nil
    entry(state, "undo " .. undo.name, undo.step, said and "failed: " .. said or "ok", unpack(undo))
  end
  state.undo = {}
end

local function audit_run(state, step, result, level)
  state.audit:add {
    playbook = state.definition.name, run = state.number, host = state.host, step = step, why = state.why,
    result = result, dry = state.dry or nil, ms = math.floor(core.now() - state.began + 0.5), level = level,
  }
end

--- A run that has not begun: `given` = { definition, number, pool, host, why, event, dry, memory, commands, audit,
--- limits }.
function run.new(given)
  given.undo, given.began = {}, core.now()
  given.name = given.definition.name
  given.main = handle_of(given)
  return given
end

--- Whether its guard lets it begin: true, or nil and why not.
function run.may(state)
  local guard = state.definition.guard
  if not guard then return true end
  local ok, result = attend(state, function(handle) return guard(handle) or false end, GUARD_MS, true, state.main)
  if not ok then return nil, "its guard failed: " .. result end
  if not result then return nil, "its guard said no" end
  return true
end

--- Ends it before its end; `why` is told to its cancel function.
function run.cancel(state, why)
  if not state.finished then state.over = state.over or why end
end

--- The whole of it, in a coroutine: "done", "failed" or "cancelled".
function run.attend(state)
  local definition = state.definition
  audit_run(state, "begin")
  local outcome = "done"
  local ok, why = attend(state, function(handle) return definition.run(handle) or true end, definition.timeout, true,
    state.main)
  if not ok then
    outcome = state.over and "cancelled" or "failed"
    state.over = state.over or why
    state.why_over = why
    if definition.cancel then
      local done, wrong = attend(state, function(...) return definition.cancel(...) or true end, CANCEL_MS, false,
        handle_of(state, true), why)
      if not done then audit_run(state, "cancel", "failed: " .. wrong, "error") end
    end
    take_back(state)
  end
  state.over, state.finished = state.over or "it is done", true
  audit_run(state, "end", ok and "done" or format("%s: %s", outcome, why), not ok and "warn" or nil)
  return outcome
end

return run
