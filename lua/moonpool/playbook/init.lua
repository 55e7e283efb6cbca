-- SPDX-License-Identifier: Apache-2.0
-- The playbooks of a pool: which there are, when one begins, what is told of it. A pool has one owner of them
-- (`playbooks.new`), which holds
--
--   books[name] = { definition, generation, holds = { [host or ""] = { since, event } }, skipped = { ... } }
--   runs[number] = a run that goes on
--
-- A playbook begins when what it waits for has held for as long as it says, and while it holds again as soon as it may.
-- Hosts that are down already when a file is loaded count from then. Once a second the owner looks.
local audit = require "moonpool.playbook.audit"
local core = require "moonpool.core_loader"
local file = require "moonpool.playbook.file"
local limits = require "moonpool.playbook.limits"
local memory = require "moonpool.playbook.memory"
local nearest = require "moonpool.nearest"
local run = require "moonpool.playbook.run"

local format = string.format

local LOOK_MS = 1000
local CONDITION_MS = 20 -- of computing
local CONDITION_WAIT_MS = 5000

local playbooks = {
  folder = nil, -- where audit and memory go unless the configuration says; moonpool serve sets it
}

--- Whether this process begins runs by itself; false: another one of the same kind does. Workers of nginx set it.
function playbooks.is_ours() return true end

local Owner = {}
Owner.__index = Owner

--- `tell(event, ...)` hands an event out to the pool's handlers.
function playbooks.new(pool, tell)
  local self = setmetatable({ pool = pool, tell = tell, books = {}, runs = {}, numbers = 0, is_on = true, refused = {},
    watched = {} }, Owner)
  function self.log(level, text) core.log(level, text, pool) end
  self.limits = limits.new(core.now, function() return pool:getHosts() end)
  return self
end

-- ---- files ------------------------------------------------------------------------------------------------

-- The definition in a file whose name is not yet among `named`, where it is noted; or nil and a message.
local function read(path, named)
  local definition, why = file.load(path)
  if not definition then return nil, why end
  local name = definition.name
  if named[name] then return nil, format("%s:1: name: %s has the name '%s', too", path, named[name], name) end
  named[name] = path
  return definition
end

--- What a checked configuration asks for, loaded and checked, but not in force: a set, or nil and a message.
function playbooks.load(checked)
  local given = checked.playbooks
  if not given then return { files = {}, definitions = {}, commands = {}, paths = {}, dry = true } end
  local set = { paths = given.paths, definitions = {}, commands = {}, dry = given.dryRun ~= false,
    folder = given.state or playbooks.folder }
  for _, path in ipairs(given.commands or {}) do set.commands[path] = true end
  set.files = file.list(given.paths)
  local named = {}
  for _, path in ipairs(set.files) do
    local definition, why = read(path, named)
    if not definition then return nil, why end
    set.definitions[#set.definitions + 1] = definition
  end
  return set
end

local function begin_to_hold(self, book)
  book.holds, book.skipped = {}, {}
  local when = book.definition.when
  if not when or when.event ~= "hostDown" then return end
  for _, host in ipairs(self.pool:getHosts()) do
    if host.status == "down" then book.holds[host.address] = { since = core.now() } end
  end
end

-- Those of its runs that do not want to outlive their text.
local function cancel_runs(self, name, why)
  for _, state in pairs(self.runs) do
    if state.name == name and state.definition.onReload == "cancel" then run.cancel(state, why) end
  end
end

-- Whether that is another text than the one before.
local function install(self, definition)
  local book = self.books[definition.name]
  if book and book.definition.text == definition.text and book.definition.path == definition.path then return false end
  cancel_runs(self, definition.name, "its file was replaced")
  self.books[definition.name] = { definition = definition, generation = (book and book.generation or 0) + 1 }
  begin_to_hold(self, self.books[definition.name])
  local event = definition.when and definition.when.event
  if event then
    core.wantEvent(self.pool, event)
    if file.opposite[event] then core.wantEvent(self.pool, file.opposite[event]) end
  end
  return true
end

local function watch(self, set)
  local wanted = {}
  for _, path in ipairs(set.files) do wanted["playbook " .. path] = path end
  for _, path in ipairs(set.paths) do
    if core.listFolder(path) then wanted["playbooks " .. path] = path .. "/." end
  end
  for what in pairs(self.watched) do
    if not wanted[what] then core.watch(self.pool, what, nil) end
  end
  for what, path in pairs(wanted) do
    if not self.watched[what] then
      local ok, why = core.watch(self.pool, what, path)
      if not ok then self.log("warn", format("%s: changes will not be noticed: %s", path, why)) end
    end
  end
  self.watched = wanted
end

local look_on

--- Puts a set in force, and gives the definitions that are others than before.
function Owner:take(set)
  if set.folder and next(set.definitions) then core.makeFolder(set.folder) end
  if not self.audit or self.folder ~= set.folder then
    self.folder = set.folder
    self.audit = audit.new(self.log, set.folder)
    self.memory = memory.new(self.log, set.folder)
    self.limits:keep(set.folder, self.log)
  end
  self.set = set
  local named, changed = {}, {}
  for _, definition in ipairs(set.definitions) do
    named[definition.name] = true
    if install(self, definition) then changed[#changed + 1] = definition end
  end
  for name in pairs(self.books) do
    if not named[name] then
      self.books[name] = nil
      cancel_runs(self, name, "its file is gone")
    end
  end
  watch(self, set)
  if next(self.books) and not self.looking then
    core.start(look_on, self)
    self.looking = true
  end
  return changed
end

-- What is wrong with a file is told once, until it is another thing or somebody asks.
local function refuse(self, path, why, before, force)
  if force or why ~= self.refused[path] then
    self.log("error", format("playbook refused%s: %s", before and ", the one before goes on" or "", why))
    self.tell("playbookError", { file = path, message = why })
  end
end

--- A file or folder of theirs has changed: those that are well come into force, the others go on as they were.
--- `force`: somebody asked, so that what is wrong is told again. true, or nil and a message.
function Owner:reload(force)
  if not self.set then return true end
  local before, wrong, named = {}, {}, {}
  for _, definition in ipairs(self.set.definitions) do before[definition.path] = definition end
  local set = { paths = self.set.paths, commands = self.set.commands, dry = self.set.dry, folder = self.set.folder,
    files = file.list(self.set.paths), definitions = {} }
  for _, path in ipairs(set.files) do
    local definition, why = read(path, named)
    if not definition then
      wrong[#wrong + 1] = why
      refuse(self, path, why, before[path], force)
      definition = before[path]
      if definition then named[definition.name] = path end
    end
    self.refused[path] = why
    set.definitions[#set.definitions + 1] = definition
  end
  for _, definition in ipairs(self:take(set)) do
    local generation = self.books[definition.name].generation
    self.log("info", format("playbook %s: generation %d serves (%s)", definition.name, generation, definition.path))
    self.tell("playbookReload", { file = definition.path, name = definition.name, generation = generation })
  end
  if #wrong == 0 then return true end
  return nil, table.concat(wrong, "\n")
end

-- ---- beginning --------------------------------------------------------------------------------------------

local function ended(self, state, book, outcome)
  self.runs[state.number] = nil
  self.limits:release(state)
  if not state.by_hand then self.limits:ended(state.definition, state.host) end
  local saved, why = self.memory:save(state.name)
  if not saved then
    self.audit:add { playbook = state.name, run = state.number, step = "memory", result = "failed: " .. tostring(why),
      level = "error" }
  end
  book.skipped = {}
  self.tell("playbookRun", { name = state.name, host = state.host, run = state.number, outcome = outcome,
    dry = state.dry })
end

local function attend(self, state, book)
  core.serve()
  local called, outcome = xpcall(run.attend, core.traceback, state)
  if not called then
    self.log("error", "a playbook's run broke off: " .. core.errorText(outcome))
    outcome = "failed"
  end
  ended(self, state, book, outcome)
end

local function is_running(self, name, host)
  for _, state in pairs(self.runs) do
    if state.name == name and state.host == host then return state end
  end
end

-- Told once for each reason until a run has ended.
local function skip(self, book, host, why)
  local told = (host or "") .. " " .. why:gsub("%d+", "")
  if not book.skipped[told] then
    book.skipped[told] = true
    self.audit:add { playbook = book.definition.name, host = host, step = "skipped", why = why }
  end
  return nil, why
end

-- Begins a run, or says why not.
local function begin(self, book, host, why, given)
  local definition = book.definition
  if not self.is_on then return skip(self, book, host, "playbooks are switched off") end
  if not (given.by_hand or playbooks.is_ours()) then return nil, "another process runs playbooks" end
  if is_running(self, definition.name, host) then return nil, "it runs already" end
  local may, reason
  if given.by_hand then
    may, reason = self.limits:may_begin_by_hand(definition)
  else
    may, reason = self.limits:may_begin(definition, host)
  end
  if not may then return skip(self, book, host, reason) end
  self.numbers = self.numbers + 1
  local dry = self.set.dry
  if given.dry ~= nil then dry = given.dry or dry end
  local state = run.new {
    definition = definition, number = self.numbers, pool = self.pool, host = host, why = why, event = given.event,
    dry = dry, memory = self.memory:of(definition.name), commands = self.set.commands, audit = self.audit,
    limits = self.limits, by_hand = given.by_hand,
  }
  if host then
    may, reason = self.limits:claim(host, state)
    if not may then return skip(self, book, host, reason) end
  end
  self.runs[state.number] = state
  may, reason = run.may(state)
  if not may then
    self.runs[state.number] = nil
    self.limits:release(state)
    return skip(self, book, host, reason)
  end
  local ok, wrong = pcall(core.start, attend, self, state, book)
  if not ok then
    self.runs[state.number] = nil
    self.limits:release(state)
    return skip(self, book, host, "it could not begin: " .. core.errorText(wrong))
  end
  self.limits:began(definition)
  return true, state.number
end

-- In a coroutine of its own, because a guard may wait.
local function try(self, book, host, why, event)
  core.serve()
  book.trying = book.trying or {}
  local key = host or ""
  if book.trying[key] then return end
  book.trying[key] = true
  local ok, wrong = xpcall(begin, core.traceback, self, book, host, why, { event = event })
  book.trying[key] = nil
  if not ok then self.log("error", "a playbook could not begin: " .. core.errorText(wrong)) end
end

-- ---- what they wait for -----------------------------------------------------------------------------------

--- An event of the pool.
function Owner:event(name, first, second)
  local host = type(first) == "string" and first or nil
  for _, book in pairs(self.books) do
    local when = book.definition.when
    local event = when and when.event
    if event and event == name then
      if file.opposite[event] and host then
        local hold = book.holds[host] or { since = core.now() }
        hold.event, book.holds[host] = second or first, hold
        if when.lasting == 0 then core.start(try, self, book, host, name, hold.event) end
      else
        core.start(try, self, book, host, name, second or first)
      end
    elseif event and host and file.opposite[event] == name then
      book.holds[host] = nil
      book.skipped = {}
    end
  end
end

local function look_at_event(self, book, now)
  local when = book.definition.when
  for host, hold in pairs(book.holds) do
    local ms = now - hold.since
    if ms >= when.lasting then
      core.start(try, self, book, host, format("%s for %d s", when.event, ms / 1000), hold.event)
    end
  end
end

local function look_at_condition(self, book, now)
  core.serve()
  local when = book.definition.when
  local future = core.spawnLimited(CONDITION_MS, function() return when.condition(self.pool) or false end)
  core.futureWatch(future)
  local till = core.now() + CONDITION_WAIT_MS
  while not future:done() and core.now() < till do core.sleep(10) end
  book.asking = nil
  local holds, err = nil, "it waits for too long"
  if future:done() then holds, err = future:wait() end
  if err ~= nil then
    skip(self, book, nil, "its condition failed: " .. core.errorText(err))
  end
  if not holds then
    book.holds[""] = nil
    return
  end
  book.holds[""] = book.holds[""] or { since = now }
  if now - book.holds[""].since >= when.lasting then try(self, book, nil, "its condition holds") end
end

local function ask_condition(self, book, now)
  local ok, wrong = xpcall(look_at_condition, core.traceback, self, book, now)
  if ok then return end
  book.asking = nil
  self.log("error", "a condition could not be asked for: " .. core.errorText(wrong))
end

local function look(self)
  local now = core.now()
  for _, book in pairs(self.books) do
    local when = book.definition.when
    if when and when.event then
      look_at_event(self, book, now)
    elseif when and now - (book.looked_at or -math.huge) >= when.every and not book.asking then
      local first = book.looked_at == nil
      book.looked_at = now
      if when.condition then
        core.start(ask_condition, self, book, now)
        book.asking = true
      elseif not first then
        core.start(try, self, book, nil, "its time has come")
      end
    end
  end
end

look_on = function(self)
  core.serve()
  while next(self.books) and core.identity(self.pool) ~= false do
    if self.is_on and playbooks.is_ours() then
      local ok, wrong = pcall(look, self)
      if not ok then self.log("error", "playbooks could not be looked after: " .. core.errorText(wrong)) end
    end
    core.sleep(LOOK_MS)
  end
  self.looking = false
  if core.identity(self.pool) == false then self:switch(false, "the pool is closed") end
end

-- ---- by hand ----------------------------------------------------------------------------------------------

local function book_of(self, name)
  local book = self.books[name]
  if book then return book end
  return nil, core.error("INVALID_ARGUMENT", format("there is no playbook '%s'%s", tostring(name),
    nearest.hint(name, self.books)))
end

--- Begins a run now, whatever it waits for and however often it ran: true and its number, or nil and an error.
--- `options`: host; dry = true: only tells what it would do.
function Owner:start(name, options)
  local book, err = book_of(self, name)
  if not book then return nil, err end
  local ok, number = begin(self, book, options.host, "by hand", { by_hand = true, dry = options.dry })
  if ok then return true, number end
  return nil, core.error("POOL_BUSY", number)
end

--- Ends a run before its end, if it goes on.
function Owner:cancel(number, why)
  if self.runs[number] then run.cancel(self.runs[number], why) end
end

function Owner:acknowledge(name, host)
  local book, err = book_of(self, name)
  if not book then return nil, err end
  local count = self.limits:acknowledge(name, host)
  book.skipped = {}
  self.audit:add { playbook = name, host = host, step = "acknowledged" }
  return count
end

--- Off: what runs is cancelled and nothing begins, until on again.
function Owner:switch(on, why)
  if self.is_on == on then return end
  self.is_on = on
  if not on then
    for _, state in pairs(self.runs) do run.cancel(state, why or "playbooks are switched off") end
  end
  if self.audit then self.audit:add { playbook = "*", step = on and "switched on" or "switched off", why = why } end
end

--- Whether a run goes on.
function Owner:is_busy() return next(self.runs) ~= nil end

function Owner:history(name, count)
  return self.audit and self.audit:last(count or 100, name) or {}
end

--- { name, file, generation, dry, running = { { run, host, seconds, why } }, waits = a text } for each, by name.
function Owner:list()
  local list, now = {}, core.now()
  for name, book in pairs(self.books) do
    local when, running = book.definition.when, {}
    for _, state in pairs(self.runs) do
      if state.name == name then
        running[#running + 1] = { run = state.number, host = state.host, why = state.why,
          seconds = math.floor((now - state.began) / 1000) }
      end
    end
    table.sort(running, function(a, b) return a.run < b.run end)
    list[#list + 1] = {
      name = name, file = book.definition.path, generation = book.generation, dry = self.set.dry, on = self.is_on,
      running = running,
      when = not when and "by hand" or when.event or when.condition and "condition" or "every",
    }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

return playbooks
