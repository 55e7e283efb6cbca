-- SPDX-License-Identifier: Apache-2.0
-- Coroutines that run side by side: spawn, all, and the methods of a future.
local core = require "moonpool.core_loader"

local async = {}
local Future = core.futureMethods

-- Whether that was raised for lack of memory, ours or Lua's own.
function async.is_starved(err)
  return err == core.noMemory or err == "not enough memory"
end

-- Calls fn(...): true; nil and an error without memory. Everything else that it raises is raised.
function async.try(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then return true end
  if not async.is_starved(err) then error(err, 0) end
  return nil, core.noMemory
end

-- Raises, for the caller of the method `name`, that it was given something.
function async.no_arguments(name, given)
  error(("'%s' takes no arguments, got %s"):format(name, type(given)), 3)
end

-- The results of the function or the call; `nil, err` when it failed or raised an error (a text then carries its
-- traceback). Waits if it must, as long as it takes: a deadline is an option of the request.
function Future:wait(...)
  if ... ~= nil then async.no_arguments("wait", ...) end
  local starved = core.futurePark(self)
  if starved then return nil, starved end
  return core.futureValues(self)
end

-- Whether wait() would return at once.
Future.done = core.futureDone

-- Ends the request at once: true, and wait() gives `nil, err` with the code CANCELLED; false when it is over already.
-- What was sent may be applied all the same, as err.maybeApplied says.
function Future:cancel(...)
  if ... ~= nil then async.no_arguments("cancel", ...) end
  local cancelled = core.futureCancel(self)
  return cancelled
end

async.withTraceback = core.traceback

local function give_results(future, fn, ...)
  core.futureFinish(future, xpcall(fn, async.withTraceback, ...))
end

-- Also what it gives may be too much for the memory: whoever waits is told that, which takes none.
local function body(future, fn, ...)
  local ok, err = pcall(give_results, future, fn, ...)
  if not ok and not core.futureDone(future) then core.futureFinish(future, false, err) end
end

-- Begins the coroutine of a future by start(...). Without memory for one the future ends by that: whoever waits for it
-- is told, and nothing is raised.
local function begin(future, start, ...)
  local ok, err = async.try(start, ...)
  if not ok then core.futureFinish(future, false, err) end
  return future
end

-- Run fn(...) in a coroutine of its own; it begins when the caller waits next. What a handlers file begins so ends with
-- it.
function async.spawn(fn, ...)
  if type(fn) ~= "function" then
    error("bad argument #1 to 'spawn' (function expected, got " .. type(fn) .. ")", 2)
  end
  local future = core.future()
  return begin(future, core.spawn, body, future, fn, ...)
end

-- The same for what shall go on when the handlers file that begins it is replaced: it belongs to the application.
function async.detach(fn, ...)
  if type(fn) ~= "function" then
    error("bad argument #1 to 'detach' (function expected, got " .. type(fn) .. ")", 2)
  end
  local future = core.future()
  return begin(future, core.within, nil, core.start, body, future, fn, ...)
end

-- The future of a request whose statements are prepared first: prepare(), which waits, gives what goes to
-- submit(future, ...) with how long it took, or nil and an error. Nothing is sent once the future was cancelled.
local function prepare_and_submit(future, prepare, submit)
  if core.futureDone(future) then return end
  local known, spent = prepare()
  if core.futureDone(future) then return end
  if known then submit(future, known, spent) else core.futureFinish(future, true, nil, spent) end
end

local function guarded(future, prepare, submit)
  local ok, err = xpcall(prepare_and_submit, async.withTraceback, future, prepare, submit)
  if not ok and not core.futureDone(future) then core.futureFinish(future, false, err) end
end

function async.request(prepare, submit)
  local future = core.future(true)
  return begin(future, core.start, guarded, future, prepare, submit)
end

-- Wait for all of them: a table of their first results, or `nil, err` of the first in the list that failed.
function async.all(futures)
  if type(futures) ~= "table" then
    error("bad argument #1 to 'all' (table of futures expected, got " .. type(futures) .. ")", 2)
  end
  local count = 0
  for _ in pairs(futures) do count = count + 1 end
  for i = 1, count do
    if futures[i] == nil then error("bad argument #1 to 'all' (there is no future at " .. i .. " of the list)", 2) end
    core.futureWatch(futures[i])
  end
  local results, failure = {}, nil
  for i, future in ipairs(futures) do
    local value, err = future:wait()
    if value == nil and err ~= nil then failure = failure or err end
    results[i] = value
  end
  if failure ~= nil then return nil, failure end
  return results
end

return async
