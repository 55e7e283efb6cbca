-- SPDX-License-Identifier: Apache-2.0
-- The handlers of a file: `return function(pool) pool:on("hostDown", fn) ... end`. A load runs that function with a
-- stand-in for the pool that writes down what it asks for; only a load without an error gives a generation.
--
-- The stand-in stays usable: handlers keep it in their upvalues and call the pool's methods through it. What it adds
-- with pool:on() later belongs to its generation as well, and goes with it.
local core = require "moonpool.core_loader"
local chunk = require "moonpool.chunk"
local secrets = require "moonpool.secrets"

local handlers = {}

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
    core.wantEvent(pool, event, not generation.serves)
    generation.lists[event] = with(generation.lists[event], fn)
    return self
  end
  function methods.off(self, event, fn)
    core.wantEvent(pool, event, true)
    generation.lists[event] = without(generation.lists[event], fn)
    return self
  end
  local proxy = newproxy(true)
  local meta = getmetatable(proxy)
  function meta.__tostring() return tostring(pool) end
  function meta.__index(_, name)
    if not methods[name] and type(pool[name]) == "function" then
      methods[name] = function(_, ...) return pool[name](pool, ...) end
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
  local generation = { path = path, text = text, lists = {} }
  local ok, message = handlers.run(text, path, stand_in(pool, generation))
  if ok then return generation end
  message = core.redact(secrets.about(text, message))
  if message:find(path, 1, true) ~= 1 then message = path .. ": " .. message end
  return nil, message
end

-- From now on its events are asked for, also those that it adds.
function handlers.serve(pool, generation)
  generation.serves = true
  for event in pairs(generation.lists) do core.wantEvent(pool, event) end
end

return handlers
