-- SPDX-License-Identifier: Apache-2.0
-- What changes in a pool while it runs: its configuration file and its handlers file, because they were written, or
-- because somebody asks. The new text is judged as at the start; what cannot be taken leaves the old as it was, as a
-- whole, is logged and told by an event.
--
-- A pool's state (its environment) holds: pool (itself), checked (the configuration in force), file (where it is from,
-- or nil), layer (what the application has changed, see overlay.lua), loaded (the handlers in force), numbers.
local core = require "moonpool.core_loader"
local config = require "moonpool.config"
local difference = require "moonpool.config.difference"
local handlers = require "moonpool.handlers"
local overlay = require "moonpool.overlay"
local playbooks = require "moonpool.playbook"

local format = string.format

-- pool.lua adds complete(checked), hand_out(state, event, ...), tell_file(state, event, ...) and
-- serve_events(pool, state)
local reload = {}

-- Of a configuration, whatever level it asks for: a key without effect is never taken in silence.
function reload.warn(warnings)
  for _, warning in ipairs(warnings) do core.log("warn", tostring(warning)) end
end

-- Who may run Lua in the process is no small matter.
local function warn_of_eval(pool, checked, before)
  if not checked.controlEval or before and before.controlEval then return end
  core.log("warn", "controlEval: whoever reaches the control socket may run any Lua in this process", pool)
end

-- ---- handlers ---------------------------------------------------------------------------------------------

local function watch(pool, what, path)
  local ok, why = core.watch(pool, what, path)
  if not ok then core.log("warn", format("%s: changes will not be noticed: %s", path, why), pool) end
end

-- The file is not heard any more.
local function leave(state, generation, why, ms)
  handlers.leave(generation, why, ms)
  for number in pairs(generation.runs) do
    if state.playbooks then state.playbooks:cancel(number, generation.path .. " " .. why) end
  end
end

-- The pool has come to its end.
function reload.leave(state)
  if state.loaded then leave(state, state.loaded, "belongs to a pool that is closed", handlers.CLOSED_MS) end
end

-- What the file before remembered, and what happened before it came.
local function tell_past(pool, state, before)
  if before then reload.tell_file(state, handlers.RELOAD, before.memory) end
  if not state.loaded.lists.hostDown then return end
  local more = core.getAnalysis(pool)
  for _, host in ipairs(core.getHosts(pool)) do
    local known = more and more.hosts[host.address]
    if host.status == "down" then reload.tell_file(state, "hostDown", host.address, known and known.why) end
  end
end

local function take_handlers(pool, state, generation)
  local before = state.loaded
  state.numbers = state.numbers + 1
  generation.number = state.numbers
  handlers.serve(pool, generation)
  reload.serve_events(pool, state)
  state.loaded = generation
  if before then leave(state, before, "was replaced", handlers.FINISH_MS) end
  tell_past(pool, state, before)
  if not before or before.path ~= generation.path then watch(pool, "handlers", generation.path) end
end

local function drop_handlers(pool, state)
  local before = state.loaded
  state.loaded = nil
  leave(state, before, "is not among the configuration's any more", handlers.FINISH_MS)
  watch(pool, "handlers", nil)
end

local function tell_handlers(state)
  core.log("info", format("handlers: generation %d serves (%s)", state.loaded.number, state.loaded.path), state.pool)
  reload.hand_out(state, "handlersReload", { file = state.loaded.path, generation = state.loaded.number })
end

local function refuse_handlers(state, message)
  core.log("error", format("handlers refused, generation %d goes on: %s", state.loaded.number, message), state.pool)
  reload.hand_out(state, "handlersError", { file = state.loaded.path, message = message,
    generation = state.loaded.number })
end

-- Takes the place of those that serve: true, or nil and a message.
function reload.adopt_handlers(pool, state, path)
  local generation, why = handlers.load(pool, path)
  if not generation then return nil, why end
  take_handlers(pool, state, generation)
  return true
end

-- `force`: also when the text is the one that serves. true, or nil and a message.
function reload.handlers(pool, state, force)
  if not state.loaded then return true end
  local generation, why = handlers.load(pool, state.loaded.path)
  if not generation then
    refuse_handlers(state, why)
    return nil, why
  end
  if not force and generation.text == state.loaded.text then return true end
  take_handlers(pool, state, generation)
  tell_handlers(state)
  return true
end

-- ---- playbooks --------------------------------------------------------------------------------------------

local function take_playbooks(pool, state, set)
  if #set.paths == 0 and not state.playbooks then return end
  state.playbooks = state.playbooks or playbooks.new(pool, function(...) reload.hand_out(state, ...) end)
  state.playbooks:take(set)
  reload.serve_events(pool, state)
end

-- A file beside those that the configuration names; `commands` is a set. Its definition, or nil and a message.
function reload.adopt_playbook(pool, state, path, dry, commands)
  local before = state.playbooks and state.playbooks.set or { paths = {}, commands = {} }
  local given = { paths = { path }, commands = {}, dryRun = dry }
  for _, each in ipairs(before.paths) do table.insert(given.paths, each) end
  for program in pairs(before.commands) do table.insert(given.commands, program) end
  for program in pairs(commands) do table.insert(given.commands, program) end
  local set, why = playbooks.load { playbooks = given }
  if not set then return nil, why end
  take_playbooks(pool, state, set)
  return set.definitions[1]
end

-- `force`: somebody asked. true, or nil and a message.
function reload.playbooks(_, state, force)
  if not state.playbooks then return true end
  return state.playbooks:reload(force)
end

-- ---- configuration ----------------------------------------------------------------------------------------

local function read_config(state)
  local text, why = core.readFile(state.file)
  if not text then return nil, why end
  return config.check_text(text, state.file, state.file)
end

local function public(changes)
  local list = {}
  for i, change in ipairs(changes) do list[i] = { key = change.key, from = change.from, to = change.to } end
  return list
end

-- Everything that may fail comes first; the handlers take over when the rest has. Returns the changes.
local function apply(pool, state)
  local checked, warnings = read_config(state)
  if not checked then return nil, warnings end
  reload.complete(checked)
  local changes = difference.between(state.checked, checked)
  if #changes == 0 then return changes end
  local refused = difference.refusals(core.identity(pool), checked, changes)
  if refused then return nil, refused end
  local path, generation = checked.handlers, nil
  local new_path = path ~= (state.loaded and state.loaded.path)
  if path and new_path then
    local why
    generation, why = handlers.load(pool, path)
    if not generation then return nil, checked.place { "handlers" } .. ": handlers: " .. why end
  end
  local set, why = playbooks.load(checked)
  if not set then why = checked.place { "playbooks" } .. ": playbooks: " .. why end
  local layer, ok = overlay.after(state.layer, changes), false
  if set then ok, why = core.applyConfig(pool, overlay.over(layer, checked)) end
  if not ok then
    if generation then handlers.discard(generation) end
    return nil, why
  end
  state.layer = layer
  reload.warn(warnings)
  warn_of_eval(pool, checked, state.checked)
  state.checked = checked
  take_playbooks(pool, state, set)
  if generation then take_handlers(pool, state, generation) end
  if new_path and not path then drop_handlers(pool, state) end
  return changes, generation
end

-- true, or nil and a message: then the configuration in force goes on as it was, whole.
function reload.config(pool, state)
  if not state.file then return true end
  local changes, extra = apply(pool, state)
  if not changes then
    extra = core.redact(extra)
    core.log("error", "configuration refused, the one in force goes on unchanged: " .. extra, pool)
    reload.hand_out(state, "configError", { file = state.file, message = extra })
    return nil, extra
  end
  if #changes == 0 then return true end
  core.log("info", format("configuration %s: %s", state.file, difference.text(changes)), pool)
  reload.hand_out(state, "configReload", { file = state.file, changes = public(changes) })
  if extra then tell_handlers(state) end
  return true
end

-- ---- all of it --------------------------------------------------------------------------------------------

local function failure(code, reasons)
  local err = core.error(code, "a reload was refused")
  err.message = table.concat(reasons, "\n") -- whole, however long
  return err
end

-- Everything again now. true, or nil and an error that says what was refused and goes on as it was.
local function all(pool, state)
  if core.identity(pool) == false then return core.reloadPolicies(pool) end -- says that it is closed
  local reasons, code = {}, nil
  local function note(ok, name, what, why)
    if ok then return end
    code = code or name
    reasons[#reasons + 1] = why .. " (" .. what .. ")"
  end
  local ok, why = reload.config(pool, state)
  note(ok, "CONFIG_ERROR", "the configuration is unchanged", why)
  ok, why = reload.handlers(pool, state, true)
  note(ok, "SCRIPT_ERROR", "the handlers are unchanged", why)
  ok, why = reload.playbooks(pool, state, true)
  note(ok, "SCRIPT_ERROR", "the playbooks before go on", why)
  local err
  ok, err = core.reloadPolicies(pool)
  note(ok, err and err.code, "the policy before goes on", err and err.message)
  if code then return nil, failure(code, reasons) end
  return true
end

-- A file that is being loaded cannot ask for a load.
local function once(state, fn, ...)
  if state.busy then return nil, failure("POOL_BUSY", { "a reload is under way" }) end
  state.busy = true
  local ok, result, err = pcall(fn, ...)
  state.busy = false
  if not ok then error(result, 0) end
  return result, err
end

function reload.all(pool, state) return once(state, all, pool, state) end

-- The beginning: what `pool.new` made of its configuration. nil and a message that begins with
-- the key whose file cannot be taken.
local function begin(pool, state, checked)
  state.checked, state.file, state.numbers = checked, checked.file, 0
  warn_of_eval(pool, checked)
  local path = checked.handlers
  if path then
    local generation, why = handlers.load(pool, path)
    if not generation then return nil, "handlers: " .. why end
    take_handlers(pool, state, generation)
  end
  local set, why = playbooks.load(checked)
  if not set then return nil, "playbooks: " .. why end
  take_playbooks(pool, state, set)
  if state.file then watch(pool, "config", state.file) end
  return true
end

function reload.begin(pool, state, checked) return once(state, begin, pool, state, checked) end

-- What a file's change means, in a coroutine of its own.
function reload.on_change(pool, state, what)
  local reloads = what == "config" and reload.config or what == "handlers" and reload.handlers or reload.playbooks
  once(state, reloads, pool, state)
end

return reload
