-- SPDX-License-Identifier: Apache-2.0
-- The C core as a worker of nginx uses it. A coroutine of a request's that calls what waits gets a seat's number back;
-- it yields to nginx, and takes the answer when nginx resumes it (runtime/script/host.h). moonpool's own coroutines,
-- those of handlers and of moonpool.spawn, wait as they do everywhere.
local nginx = {}

-- lua-nginx-module's own coroutines go on through nginx; it keeps Lua's under these names.
local original = {}
for _, name in ipairs { "create", "resume", "status", "yield" } do
  original[name] = coroutine["_" .. name] or coroutine[name]
end
local yield = original.yield

-- Every function of the core that waits; spec/house_spec.lua compares.
local WAITING = {
  "submit", "submitValues", "submitBatch", "prepare", "prepareFirst", "connect", "warmUp", "lookUp", "close", "sleep",
  "futurePark", "drainHost", "recoverHost", "joinNode", "leaveNode", "serveFrom",
}
local BRINGS = { submit = true, submitValues = true, submitBatch = true } -- answers, as core.answer gives elsewhere

local BLOCKS = {
  run = "moonpool.run would hold up the whole worker: call what waits where you are, nginx goes on meanwhile",
  settle = "the worker's event loop is nginx's",
  finish = "the worker's event loop is nginx's",
  turn = "the worker's event loop is nginx's",
  askControl = "a control socket is asked from outside of nginx: moonpool ctl",
}

-- `open` is luaopen_moonpool_nginx of the same library.
function nginx.adopt(core, open)
  local worker = open()
  local take, parked = core.take, core.parked
  for _, name in ipairs(WAITING) do
    local call, brings = core[name], BRINGS[name]
    core[name] = function(a, b, c, d, e, f, g, h, i, j, k) -- varargs are not compiled
      local first, second, third = call(a, b, c, d, e, f, g, h, i, j, k)
      if second ~= parked then return first, second, third end
      yield()
      if not brings then return take(first) end
      local made, cost, v1, v2, v3, v4, v5, v6, v7, v8 = take(first)
      if made == nil or type(cost) ~= "number" then return made, cost, v1 end -- an answer, or what was prepared for it
      return made(cost, v1, v2, v3, v4, v5, v6, v7, v8), nil -- compiled code cannot go on behind a tail call
    end
  end
  for name, why in pairs(BLOCKS) do
    core[name] = function() error(why, 3) end
  end
  core.counts = worker.counts
  core.coroutine = original
  return core
end

return nginx
