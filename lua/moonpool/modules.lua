-- SPDX-License-Identifier: Apache-2.0
-- A `require` and a `dofile` that are written in Lua, so that a coroutine can wait while a module is loaded: one that
-- connects, or reads its settings from the database. They stand in the place of the original ones for as long as
-- moonpool runs coroutines, and do what those do, with the same words.
--
-- What is being loaded has the original's mark in package.loaded, as what failed to load has for ever. A second
-- coroutine that wants it waits for the first.
local core = require "moonpool.core_loader"

local loaded, package = debug.getregistry()._LOADED, package

local modules = {}
local loads = {} -- name = { by = the coroutine that loads it, future = of those that wait for it, or nil }
local waits = setmetatable({}, { __mode = "k" }) -- coroutine = the name of the module that it waits for

-- The mark that the original sets can be read while it loads something.
local function mark_of(original)
  local name, mark = "moonpool.modules.mark", nil
  local preload = package.preload
  preload[name] = function() mark = loaded[name] end
  pcall(original, name)
  preload[name], loaded[name] = nil, nil
  return mark or newproxy()
end
local mark = mark_of(require)
modules.original = { require = require, dofile = dofile }

local function looped(name) return ("loop or previous error loading module '%s'"):format(name) end

-- Waits until somebody else has loaded it, or has failed to. Raises when that would be for ever: both wait, each for
-- the other's module.
local function wait_for(name)
  local load, own = loads[name], coroutine.running() or "main"
  local next = load
  while next do
    if next.by == own then error(looped(name), 3) end
    next = loads[waits[next.by]]
  end
  if not load then error(looped(name), 3) end
  load.future = load.future or core.future()
  waits[own] = name
  local ok, why = pcall(core.futurePark, load.future)
  waits[own] = nil
  if not ok then error(why, 0) end
end

-- The error goes on to whoever asked for the module; where it was raised is known only here.
local function note(err)
  core.noteFailure(err, type(err) == "string" and debug.traceback(err, 2) or nil)
  return err
end

-- Called by C, as the original does: a message that names the caller names none.
local function call(fn, name) return xpcall(fn, note, name) end

-- The function that loads it; or nil and a message.
local function find(name)
  local loaders = package.loaders
  if type(loaders) ~= "table" then return nil, "'package.loaders' must be a table" end
  local tried, i = "", 1
  while rawget(loaders, i) ~= nil do
    local ok, found = call(loaders[i], name)
    if not ok then error(found, 0) end
    if type(found) == "function" then return found end
    if type(found) == "string" or type(found) == "number" then tried = tried .. found end
    i = i + 1
  end
  return nil, ("module '%s' not found:%s"):format(name, tried)
end

local function load(name, loader)
  loaded[name] = mark
  local entry = { by = coroutine.running() or "main" }
  loads[name] = entry
  local ok, value = call(loader, name)
  loads[name] = nil
  if ok and value ~= nil then loaded[name] = value end
  if ok and loaded[name] == mark then loaded[name] = true end
  if entry.future then core.futureFinish(entry.future, true) end
  if not ok then error(value, 0) end
  return loaded[name]
end

function modules.require(...)
  local name = ...
  if type(name) == "number" then name = tostring(name) end
  if type(name) ~= "string" then
    local got = select("#", ...) == 0 and "no value" or type(name)
    error("bad argument #1 to 'require' (string expected, got " .. got .. ")", 2)
  end
  while loaded[name] == mark do wait_for(name) end
  local value = loaded[name]
  if value then return value end
  local loader, why = find(name)
  if not loader then error(why, 2) end
  value = load(name, loader) -- no tail call: messages name the caller's line
  return value
end

function modules.dofile(path)
  local chunk, why = loadfile(path)
  if not chunk then error(why, 0) end
  return chunk()
end

-- ---- in the place of the original ones --------------------------------------------------------------------

local depth, before = 0, {}

-- Only what is not replaced already: somebody else's require has its own ways.
function modules.enter()
  depth = depth + 1
  if depth > 1 then return end
  for _, name in ipairs { "require", "dofile" } do
    local original = rawget(_G, name)
    if type(original) == "function" and debug.getinfo(original, "S").what == "C" then
      before[name] = original
      rawset(_G, name, modules[name])
    end
  end
end

function modules.leave()
  depth = depth - 1
  if depth > 0 then return end
  for name, original in pairs(before) do
    if rawget(_G, name) == modules[name] then rawset(_G, name, original) end
  end
  before = {}
end

core.onRun(modules.enter, modules.leave)

return modules
