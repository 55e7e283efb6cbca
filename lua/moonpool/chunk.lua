-- SPDX-License-Identifier: Apache-2.0
-- Configuration and handlers files: full Lua, but source text only, and on the loop that carries the traffic, so one
-- that does not come to its end is stopped.
local core = require "moonpool.core_loader"
local coroutine = core.coroutine

local LIMIT_S = 0.5 -- of processor time
local LOOK_EVERY = 10000 -- instructions
local LONGEST_MESSAGE = 2000

local CURE = "begin with moonpool.spawn what waits"

local own = debug.getinfo(1, "S").source

local chunk = {}

local function bounded(message)
  return #message > LONGEST_MESSAGE and message:sub(1, LONGEST_MESSAGE) .. "..." or message
end

-- The text as a function, or nil and a message. Bytecode, also behind a byte order mark or a first line with #, can do
-- what no source text can, and the mode "t" alone does not see it there.
function chunk.compile(text, name)
  local rest = text:gsub("^\239\187\191", ""):gsub("^#[^\n]*", "")
  if rest:find "^%s*\27" then return nil, name .. ":1: this is bytecode, not Lua source text" end
  local loaded, why = load(text, "@" .. name, "t")
  if loaded then return loaded end
  return nil, bounded((why:gsub(" near '[\"'%[][^%]].*$", ""))) -- a text that is quoted there may be a password
end

-- What was raised, as a text of bounded length; for xpcall. Nothing of the raiser's is called.
function chunk.text_of(err)
  if type(err) == "table" and type(rawget(err, "message")) == "string" then err = rawget(err, "message") end
  if type(err) == "number" then err = tostring(err) end
  if type(err) ~= "string" then return type(err) .. " without a message was raised" end
  return bounded(err)
end

-- xpcall(fn, handler, ...) that ends. Meanwhile nothing is compiled, because machine code is not counted.
-- It runs in a coroutine that nobody resumes: a file that waited would be loaded by half.
function chunk.run(fn, handler, ...)
  local deadline = os.clock() + LIMIT_S
  local hook, mask, count = debug.gethook()
  local co = coroutine.create(function(...) return xpcall(fn, handler, ...) end)
  core.refuseWaiting(co, "this call waits, and a file cannot wait while it is loaded: " .. CURE)
  local compiles = jit.status()
  jit.off()
  local function look()
    if os.clock() <= deadline or debug.getinfo(2, "S").source == own then return end
    debug.sethook(look, "", 1) -- also behind a pcall that catches this
    error("it did not come to its end within 500 ms", 2)
  end
  debug.sethook(look, "", LOOK_EVERY)
  local function leave(resumed, ...)
    debug.sethook(hook, mask, count)
    if compiles then jit.on() end
    if coroutine.status(co) ~= "dead" then
      local at = debug.getinfo(co, 1, "Sl")
      return false, handler(("%s:%d: the function waits: %s"):format(at.short_src, at.currentline, CURE))
    end
    if not resumed then return false, (...) end
    return ...
  end
  return leave(coroutine.resume(co, ...))
end

return chunk
