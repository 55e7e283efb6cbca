-- SPDX-License-Identifier: Apache-2.0
-- The handlers of a file: `return function(pool) pool:on("hostDown", fn) ... end`. A load runs that function with a
-- stand-in for the pool that writes down what it asks for; only a load without an error gives a generation.
--
-- The stand-in stays usable: handlers keep it in their upvalues and call the pool's methods through it. What it adds
-- with pool:on() later belongs to its generation as well, and goes with it. So do the coroutines and the playbooks that
-- the file or its handlers have begun: they end with the generation. A call of a handler that goes on may finish.
--
-- A generation: { path, text, lists = { event = { fn, ... } }, memory = a table for the one after it, runs = { [number
-- of a playbook's run] = true }, own and calls = the owners of what it has begun, and of its handlers' calls }.
local core = require "moonpool.core_loader"
local async = require "moonpool.async"
local chunk = require "moonpool.chunk"
local secrets = require "moonpool.secrets"

local handlers = {
  FINISH_MS = 60000, -- of the calls of handlers whose file was replaced
  CLOSED_MS = 2000,  -- and whose pool is closed
}

-- Of a spec: observer(pool, "event" or "call", name, ...) is told what handlers hear, and call of their pool.
handlers.observer = nil

-- Told to handlers of a file alone: here is what the generation before has put into its memory.
handlers.RELOAD = "reload"

-- Lists are replaced, not changed: one that is being walked stays as it is.
local function with(list, fn)
  local longer = {}
  for i, other in ipairs(list or {}) do longer[i] = other end
  longer[#longer + 1] = fn
  return longer
end

local function without(list, fn)
  local rest = {}
  for _, other in ipairs(list or {}) do
    if other ~= fn then rest[#rest + 1] = other end
  end
  return rest
end
handlers.with, handlers.without = with, without

function handlers.check_function(fn)
  if type(fn) ~= "function" then
    error("bad argument #2 to 'on' (handler: a function expected, got " .. type(fn) .. ")", 3)
  end
end

local function stand_in(pool, generation)
  local methods = {}
  function methods.on(self, event, fn)
    handlers.check_function(fn)
    if event ~= handlers.RELOAD then core.wantEvent(pool, event, not generation.serves) end
    generation.lists[event] = with(generation.lists[event], fn)
    return self
  end
  function methods.off(self, event, fn)
    if event ~= handlers.RELOAD then core.wantEvent(pool, event, true) end
    generation.lists[event] = without(generation.lists[event], fn)
    return self
  end
  -- keep = true: the run goes on when the file is replaced.
  function methods.runPlaybook(_, name, options)
    local ok, number = pool:runPlaybook(name, options)
    if ok and not (options and options.keep) then generation.runs[number] = true end
    return ok, number
  end
  local proxy = newproxy(true)
  local meta = getmetatable(proxy)
  function meta.__tostring() return tostring(pool) end
  function meta.__newindex(_, name, value)
    if name ~= "memory" or type(value) ~= "table" then
      error(("a pool has no field '%s' to set; memory takes a table"):format(tostring(name)), 2)
    end
    generation.memory = value
  end
  function meta.__index(_, name)
    if name == "memory" then return generation.memory end
    if not methods[name] and type(pool[name]) == "function" then
      methods[name] = function(_, ...)
        if handlers.observer then handlers.observer(pool, "call", name, ...) end
        return pool[name](pool, ...)
      end
    end
    return methods[name]
  end
  return proxy
end

-- Runs a handlers file with something that takes the place of the pool: true, or nil and a message.
function handlers.run(text, path, proxy)
  local loaded, why = chunk.compile(text, path)
  if not loaded then return nil, why end
  local ok, fn = chunk.run(loaded, chunk.text_of)
  if not ok then return nil, fn end
  if type(fn) ~= "function" then
    return nil, path .. ":1: the file must return a function that takes the pool, got a " .. type(fn)
  end
  local registered, message = chunk.run(fn, chunk.text_of, proxy)
  if not registered then return nil, message end
  return true
end

-- A generation { path, text, lists = { event = { fn, ... } } } that does not serve yet, or nil and a message.
function handlers.load(pool, path)
  local text, why = core.readFile(path)
  if not text then return nil, why end
  local own = core.owner()
  local generation = { path = path, text = text, lists = {}, memory = {}, runs = {}, own = own,
    calls = core.owner(own) }
  local ok, message = core.within(own, handlers.run, text, path, stand_in(pool, generation))
  if ok then return generation end
  core.endOwner(own, path .. " was refused", true)
  message = core.redact(secrets.about(text, message))
  if message:find(path, 1, true) ~= 1 then message = path .. ": " .. message end
  return nil, message
end

-- From now on its events are asked for, also those that it adds.
function handlers.serve(pool, generation)
  generation.serves = true
  for event in pairs(generation.lists) do
    if event ~= handlers.RELOAD then core.wantEvent(pool, event) end
  end
end

-- It came to nothing: nothing of it begins.
function handlers.discard(generation)
  core.endOwner(generation.own, generation.path .. " was not taken", true)
end

local function wait_for_calls(generation, why, ms)
  core.serve()
  local till = core.now() + ms
  while core.ownerCount(generation.calls) > 0 and core.now() < till do
    core.sleep(math.min(1000, math.max(1, till - core.now())))
  end
  core.endOwner(generation.calls, why)
end

-- It does not serve any more. What it has begun ends now; the calls of its handlers that go on have `ms`, or no time
-- where there is no memory to wait for them.
function handlers.leave(generation, why, ms)
  why = ("%s %s: what it has begun ends with it"):format(generation.path, why)
  generation.serves = false
  core.endOwner(generation.own, why)
  if not async.try(core.start, wait_for_calls, generation, why, ms) then core.endOwner(generation.calls, why) end
end

return handlers
