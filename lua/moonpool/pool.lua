-- SPDX-License-Identifier: Apache-2.0
-- The methods of a pool: thin, over the C core. Requests are submitted and answered in C; here stands what is a matter
-- of control flow: prepare first, page after page, one coroutine per handler.
local core = require "moonpool.core_loader"
local analysis = require "moonpool.analysis"
local async = require "moonpool.async"
local batch = require "moonpool.batch"
local config = require "moonpool.config"
local exporter = require "moonpool.exporter"
local handlers = require "moonpool.handlers"
local listeners = require "moonpool.listeners"
local nodes = require "moonpool.nodes"
local overlay = require "moonpool.overlay"
local page = require "moonpool.page"
local playbooks = require "moonpool.playbook"
local reload = require "moonpool.reload"
local schema = require "moonpool.schema"
local answer = require("moonpool.result").answer
local steer = require "moonpool.steer"
local warmup = require "moonpool.warmup"

local Pool = core.poolMethods
local submit, submit_values, prepared = core.submit, core.submitValues, core.prepared

local pool = {}

-- pool:execute(statement, parameters, options): result | nil, err
local function execute(self, statement, parameters, options)
  local result, err, spent
  if options == nil then result, err = submit_values(self, statement, -1, parameters) end
  if options ~= nil or result == false then result, err, spent = submit(self, statement, parameters, options) end
  if err == prepared then
    -- One that was prepared already keeps its options: it was only asked what has become of it.
    local known = type(statement) ~= "string" and statement or result
    result, err = submit(self, known, parameters, options, spent)
  end
  if result == nil and err == nil then result, err = answer() end
  return result, err
end
Pool.execute = execute

-- pool:run(statement, a, b, ...): execute(statement, { a, b, ... }) without the table, for up to eight values. Compiled
-- code does not return through a function of variable arguments, so they have names.
function Pool.run(self, statement, a, b, c, d, e, f, g, h, more)
  if more ~= nil then error("'run' takes at most eight values: give them to 'execute', in a table", 2) end
  local count = h ~= nil and 8 or g ~= nil and 7 or f ~= nil and 6 or e ~= nil and 5 or d ~= nil and 4
    or c ~= nil and 3 or b ~= nil and 2 or a ~= nil and 1 or 0
  local result, err = submit_values(self, statement, count, a, b, c, d, e, f, g, h)
  if result == false then return execute(self, statement, count > 0 and { a, b, c, d, e, f, g, h } or nil) end
  if result == nil and err == nil then result, err = answer() end
  return result, err
end

-- pool:executeAsync(statement, parameters, options): a future of the same
function Pool.executeAsync(self, statement, parameters, options)
  core.checkRequest(self, statement, parameters, options, "executeAsync")
  local future = core.future(true)
  if core.submitAsync(self, statement, parameters, options, future) then return future end
  return async.request(function()
    local known, err, spent = core.prepareFirst(self, statement, options)
    if err ~= prepared then return known, err end
    return known, spent
  end, function(to, known, spent)
    -- One that was prepared already keeps its options: it was only asked what has become of it.
    if type(statement) ~= "string" then known = statement end
    core.submitAsync(self, known, parameters, options, to, spent)
  end)
end

-- pool:batch(statements, options): result | nil, err; pool:batchAsync(...): a future of the same
Pool.batch, Pool.batchAsync = batch.run, batch.start

local function copy(options)
  local kept = {}
  for name, value in pairs(options or {}) do kept[name] = value end
  return kept
end

-- pool:prepare(cql, options): statement | nil, err
function Pool.prepare(self, cql, options)
  local kept = type(options) == "table" and copy(options) or options -- it may change while the answer is awaited
  local statement, err = core.prepare(self, cql, kept)
  if err == prepared then err = nil end
  if statement and kept then core.statementDefaults(statement, kept) end
  return statement, err
end

-- for row in pool:rows(statement, parameters, options): all rows, page by page; raises on an error.
function Pool.rows(self, statement, parameters, options)
  core.checkRequest(self, statement, parameters, options, "rows")
  local paged = copy(options)
  local current, step, i, row
  return function()
    while true do
      if current then
        i, row = step(current, i)
        if row then return row end
        current = nil
        if not paged.pageState then return nil end
      end
      local result, err = execute(self, statement, parameters, paged)
      if not result then error(err, 2) end
      -- A page that says it is followed by itself would be read for ever.
      if result.pageState and result.pageState == paged.pageState then
        error(core.error("PROTOCOL_ERROR", result.info.host .. " gave the same pageState twice"), 2)
      end
      paged.pageState = result.pageState
      step, current, i = result:each()
    end
  end
end

-- What takes no arguments takes none in silence either: pool:close{ timeout = 5 } would not do what it says.
for name, method in pairs {
  connect = core.connect, initialize = core.connect, getStats = core.getStats,
  getMetrics = core.getMetrics, getConnectionDetails = core.getConnectionDetails, getHosts = core.getHosts,
  policies = core.policies, analyzePerformance = analysis.performance, getHealthStatus = analysis.health,
} do
  Pool[name] = function(self, ...)
    if ... ~= nil then async.no_arguments(name, ...) end
    local result, err = method(self) -- no tail call: messages name the caller's line
    return result, err
  end
end

function Pool.close(self, ...)
  if ... ~= nil then async.no_arguments("close", ...) end
  local ok, err = core.close(self)
  if ok then listeners.leave(self) end
  return ok, err
end

function Pool.rollback(self, kind)
  local ok, generation = core.rollback(self, kind)
  return ok, generation
end

-- pool:canary(kind): how its generation on trial stands, or the last one did; nil: there was none. Without a kind all
-- of them by kind.
function Pool.canary(self, kind)
  local all = core.canary(self)
  if kind == nil then return all end
  return all[kind]
end

function Pool.promoteCanary(self, kind)
  local ok, err = core.endCanary(self, kind, true)
  return ok, err
end

function Pool.abortCanary(self, kind)
  local ok, err = core.endCanary(self, kind, false)
  return ok, err
end

function Pool.explain(self, request)
  local found, err = core.explain(self, request)
  return found, err
end

for _, name in ipairs { "pause", "resume", "drain", "kill", "reconnect", "resize", "setWeight", "setTags",
  "recoverConnection" } do
  Pool[name] = steer[name]
end
Pool.addNode, Pool.removeNode, Pool.switchDatacenter = nodes.addNode, nodes.removeNode, nodes.switchDatacenter
Pool.usePolicy = overlay.usePolicy
Pool.warmup, Pool.preallocateConnections = warmup.warmup, warmup.preallocateConnections

-- pool:decisions(count): the last records of the decision log, oldest first (docs/decision-log.md); or nil, err.
function Pool.decisions(self, count)
  count = count == nil and 1000 or count
  if type(count) ~= "number" then error("bad argument #1 to 'decisions' (number expected)", 2) end
  local lines, err = core.decisions(self, count)
  if not lines then return nil, err end
  local json = require "moonpool.cli.json"
  for i, line in ipairs(lines) do lines[i] = json.decode(line) end
  return lines
end

Pool.schema = schema.get

Pool.setHostWeight = core.setHostWeight
Pool.setHostTags = core.setHostTags

-- ---- events -----------------------------------------------------------------------------------------------
-- The pool's environment holds its state: pool (itself), handlers = { hostUp = { fn, ... } } of the application,
-- handlerErrors = n, running = { [fn] = how many of its coroutines have not ended }, stuck = { [fn] = true, once those
-- were too many }, and what reload.lua keeps there.

local MOST_RUNNING = 256 -- of one handler: it does not come to its end

local function handle(state, name, fn, ...)
  core.handles(name, fn)
  local ok, message = xpcall(fn, async.withTraceback, ...)
  state.running[fn] = state.running[fn] - 1
  if ok then return end
  if core.isOver() then
    core.log("debug", "a handler of '" .. name .. "' was ended: " .. core.errorText(message), state.pool)
    return
  end
  state.handlerErrors = state.handlerErrors + 1
  core.log("error", "a handler of '" .. name .. "' failed: " .. core.errorText(message), state.pool)
end

-- `owner`: of the calls of a file's handlers; nil: it is the application's.
local function begin(state, owner, name, fn, ...)
  local running = state.running[fn] or 0
  if running < MOST_RUNNING then
    state.running[fn] = running + 1
    if async.try(core.within, owner, core.start, handle, state, name, fn, ...) then return end
    state.running[fn] = running
  end
  core.missedEvent(state.pool, name)
  if running < MOST_RUNNING then return end
  if state.stuck[fn] then return end
  state.stuck[fn] = true
  local info = debug.getinfo(fn, "S")
  core.log("warn", ("a handler of '%s' (%s:%d) has not come to its end %d times: it is not called while so many run")
    :format(name, info.short_src, info.linedefined, MOST_RUNNING), state.pool)
end

-- To those of the file that serves now.
function reload.tell_file(state, name, ...)
  local loaded = state.loaded
  if handlers.observer and loaded and loaded.lists[name] then handlers.observer(state.pool, "event", name, ...) end
  for _, fn in ipairs(loaded and loaded.lists[name] or {}) do begin(state, loaded.calls, name, fn, ...) end
end

-- To those of the application, then to those of the file.
local function hand_out(state, name, ...)
  if not name then return end
  for _, fn in ipairs(state.handlers[name] or {}) do begin(state, nil, name, fn, ...) end
  reload.tell_file(state, name, ...)
  if state.playbooks then state.playbooks:event(name, ...) end
end
reload.hand_out = hand_out

-- One coroutine per pool, from the first handler to the pool's end.
local function dispatch(self, state)
  core.serve()
  local function step(name, ...)
    local ok, message = pcall(hand_out, state, name, ...)
    if not ok then
      core.missedEvent(self, name)
      core.log("error", "the event '" .. name .. "' was not handed out: " .. core.errorText(message), self)
    end
    return name ~= false
  end
  while step(core.nextEvent(self)) do end -- luacheck: ignore 542
  reload.leave(state)
end

function reload.serve_events(self, state)
  if state.dispatching then return end
  core.start(dispatch, self, state)
  state.dispatching = true
end

-- pool:on(event, fn): fn(...) runs in a coroutine of its own each time it happens. Returns the pool.
function Pool.on(self, event, fn)
  handlers.check_function(fn)
  core.wantEvent(self, event)
  local state = debug.getfenv(self)
  reload.serve_events(self, state)
  state.handlers[event] = handlers.with(state.handlers[event], fn)
  return self
end

-- pool:off(event, fn): undoes pool:on with the same function.
function Pool.off(self, event, fn)
  core.wantEvent(self, event)
  local state = debug.getfenv(self)
  state.handlers[event] = handlers.without(state.handlers[event], fn)
  return self
end

-- How many handlers have raised an error so far.
function Pool.getHandlerErrors(self, ...)
  if ... ~= nil then async.no_arguments("getHandlerErrors", ...) end
  return debug.getfenv(self).handlerErrors
end

-- ---- reload -----------------------------------------------------------------------------------------------

-- pool:reload(): configuration, handlers and policies again from their files; true | nil, err.
function Pool.reload(self, ...)
  if ... ~= nil then async.no_arguments("reload", ...) end
  return reload.all(self, debug.getfenv(self))
end

-- Its configuration file alone, in case that it changed when it could not be taken.
function pool.refresh(self)
  return reload.config(self, debug.getfenv(self))
end

core.onChange(function(self, what) reload.on_change(self, debug.getfenv(self), what) end)

-- ---- playbooks --------------------------------------------------------------------------------------------

local function playbooks_of(self)
  core.identity(self) -- raises when this is no pool, or one that was collected
  return debug.getfenv(self).playbooks
end

local function option(options, method, name, kind)
  local value = options[name]
  if value ~= nil and type(value) ~= kind then
    error(("bad option '%s' of '%s' (%s expected, got %s)"):format(name, method, kind, type(value)), 3)
  end
  return value
end

local NO_PLAYBOOKS = "the configuration has no playbooks"

-- pool:playbooks(): what each is and what runs, by name.
function Pool.playbooks(self, ...)
  if ... ~= nil then async.no_arguments("playbooks", ...) end
  local owner = playbooks_of(self)
  return owner and owner:list() or {}
end

-- pool:runPlaybook(name, { host = ..., dry = true }): begins it now; true and the run's number, or nil, err. With
-- keep = true it goes on when the handlers file that began it is replaced.
function Pool.runPlaybook(self, name, options)
  options = options or {}
  local host = option(options, "runPlaybook", "host", "string")
  local dry = option(options, "runPlaybook", "dry", "boolean")
  option(options, "runPlaybook", "keep", "boolean")
  local owner = playbooks_of(self)
  if not owner then return nil, core.error("INVALID_ARGUMENT", NO_PLAYBOOKS) end
  return owner:start(name, { host = host, dry = dry })
end

-- pool:playbookHistory(name, count): the newest entries of the audit, oldest first; of all when there is no name.
function Pool.playbookHistory(self, name, count)
  local owner = playbooks_of(self)
  return owner and owner:history(name, count) or {}
end

-- pool:acknowledgePlaybook(name, host): its cool-down is over, for that host or for all; how many ended, or nil, err.
function Pool.acknowledgePlaybook(self, name, host)
  local owner = playbooks_of(self)
  if not owner then return nil, core.error("INVALID_ARGUMENT", NO_PLAYBOOKS) end
  return owner:acknowledge(name, host)
end

-- pool:switchPlaybooks(on): false cancels what runs and lets nothing begin, until true.
function Pool.switchPlaybooks(self, on)
  if type(on) ~= "boolean" then error("bad argument #1 to 'switchPlaybooks' (boolean expected)", 2) end
  local owner = playbooks_of(self)
  if owner then owner:switch(on, "by hand") end
  return owner ~= nil
end

-- ---- constructors -----------------------------------------------------------------------------------------

-- Every pool that somebody still knows, with its number, for commands that mean all of them.
pool.all, pool.count = setmetatable({}, { __mode = "k" }), 0

-- A pool that was collected may stand in the list of all for a while.
function pool.is_open(self)
  local ok, identity = pcall(core.identity, self)
  return ok and identity ~= false
end

-- Those that are not closed, in the order of their making.
function pool.open()
  local list = {}
  for each in pairs(pool.all) do
    if pool.is_open(each) then list[#list + 1] = each end
  end
  table.sort(list, function(a, b) return pool.all[a] < pool.all[b] end)
  return list
end

exporter.pools, page.pools = pool.open, pool.open
function exporter.number(self) return pool.all[self] end
page.number = exporter.number

-- The checked configuration in force: another table after each change.
function pool.configuration(self)
  return debug.getfenv(self).checked
end

-- For specs (lua/moonpool/automation.lua): a file beside what the configuration names. nil and a message, or the
-- definition of the playbook; true.
function pool.adopt_playbook(self, ...) return reload.adopt_playbook(self, debug.getfenv(self), ...) end
function pool.adopt_handlers(self, path) return reload.adopt_handlers(self, debug.getfenv(self), path) end

-- pool.default_port is that of an embedded cluster.
function reload.complete(checked)
  checked.port = checked.port or pool.default_port
end

-- What is wrong with a configuration is raised; but not for lack of descriptors, or of memory since `refusals` was
-- core.memoryRefusals(), which is nothing that it says.
local function refuse(message, refusals)
  if async.is_starved(message) or core.memoryRefusals() ~= refusals then return nil, core.noMemory end
  if core.isShort() then return nil, core.error("LOCAL_ERROR", "no descriptor is free (ulimit -n): " .. message) end
  error(core.redact(message), 0)
end

-- What the pool has beside its connections: true, or nil and why not.
local function furnish(self, state, checked)
  local ok, why = reload.begin(self, state, checked)
  if ok and checked.metricsListen then
    ok, why = exporter.begin(self, checked.metricsListen)
    if not ok then why = "metrics.listen: " .. listeners.name(checked.metricsListen) .. ": " .. why end
  end
  if ok and checked.httpListen then
    ok, why = page.begin(self, checked.httpListen, checked.httpToken)
    if not ok then why = "http.listen: " .. listeners.name(checked.httpListen) .. ": " .. why end
  end
  return ok, why
end

-- From a source that config.read made. Raises what is wrong with it, with its place; nil and an error when this machine
-- has nothing left.
function pool.from(source)
  local refusals = core.memoryRefusals()
  local checked, warnings = config.judge(source)
  if not checked then return refuse(warnings, refusals) end
  reload.complete(checked)
  reload.warn(warnings)
  local self, message = core.newPool(checked)
  if not self then return refuse(message, refusals) end
  local state = debug.getfenv(self)
  state.pool, state.handlers, state.handlerErrors = self, {}, 0
  state.running, state.stuck = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
  local ran, ok, why = pcall(furnish, self, state, checked)
  if not ran or not ok then
    listeners.leave(self)
    core.discard(self)
    if not ran then return refuse(async.is_starved(ok) and ok or core.errorText(ok), refusals) end
    local parts = {}
    for part in why:match("^[%a.]+"):gmatch "%a+" do parts[#parts + 1] = part end
    local place = checked.place(parts)
    return refuse((place == "" and "" or place .. ": ") .. why, refusals)
  end
  pool.count = pool.count + 1
  pool.all[self] = pool.count
  return self
end

-- Would a pool be made of it? true, or nil and why not. The file of a decision log is not begun: whoever asks may be
-- root, and the pool another.
function pool.judge(checked)
  local file = checked.decisionFile
  checked.decisionFile = nil
  local ok, why = core.judgePool(checked)
  checked.decisionFile = file
  return ok, why
end

-- Raises, as new() does, why it would not take the configuration, with the files that it names but for what only a pool
-- can tell of its handlers. Makes nothing: also where there must be no pool.
function pool.check(input, level)
  local caller = debug.getinfo(level + 1, "Sl")
  local where = caller and caller.currentline > 0 and caller.short_src .. ":" .. caller.currentline or nil
  local checked, why = config.check(input, where, core.readFile)
  local ok = checked
  if ok then ok, why = pool.judge(checked) end
  if ok then ok, why = playbooks.load(checked) end
  if ok and checked.handlers then ok, why = config.look(checked.handlers, core.readFile) end
  if not ok then error(core.redact(core.errorText(why)), 0) end
end

-- The same, connected; nil and an error when it cannot be.
function pool.connected(source)
  local self, err = pool.from(source)
  local ok
  if self then ok, err = self:connect() end
  if not ok then return nil, err end
  return self
end

-- From a table, the path of a Lua file that returns one, or what `moonpool run --config` named (pool.default); `level`
-- is the caller's.
function pool.new(input, level)
  if input == nil then input = pool.default end
  if input == nil then
    error("a configuration expected: a table, or the path of a Lua file that returns one", level + 1)
  end
  local caller = debug.getinfo(level + 1, "Sl")
  local where = caller and caller.currentline > 0 and caller.short_src .. ":" .. caller.currentline or nil
  local refusals = core.memoryRefusals()
  local source, why = config.read(input, where, core.readFile)
  if not source then return refuse(why, refusals) end
  return pool.from(source)
end

return pool
