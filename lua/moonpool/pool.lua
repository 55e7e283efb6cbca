-- SPDX-License-Identifier: Apache-2.0
-- The methods of a pool: thin, over the C core. Requests are submitted and answered in C; here stands what is a matter
-- of control flow: prepare first, page after page, one coroutine per handler.
local core = require "moonpool.core_loader"
local async = require "moonpool.async"
local config = require "moonpool.config"

local Pool = core.poolMethods
local submit, answer, prepared = core.submit, core.answer, core.prepared

local pool = {}

-- pool:execute(statement, parameters, options): result | nil, err
local function execute(self, statement, parameters, options)
  local result, err, spent = submit(self, statement, parameters, options)
  if err == prepared then result, err = submit(self, result, parameters, options, spent) end
  if result == nil and err == nil then return answer(self) end
  return result, err
end
Pool.execute = execute

-- pool:executeAsync(statement, parameters, options): a future of the same
function Pool.executeAsync(self, statement, parameters, options)
  core.checkRequest(self, statement, parameters, options, "executeAsync")
  local future = core.future()
  if core.submitAsync(self, statement, parameters, options, future) then return future end
  return async.spawn(execute, self, statement, parameters, options)
end

-- pool:prepare(cql, options): statement | nil, err
function Pool.prepare(self, cql, options)
  local statement, err = core.prepare(self, cql, options)
  if err == prepared then err = nil end
  return statement, err
end

-- for row in pool:rows(statement, parameters, options): all rows, page by page; raises on an error.
function Pool.rows(self, statement, parameters, options)
  core.checkRequest(self, statement, parameters, options, "rows")
  local paged = {}
  for name, value in pairs(options or {}) do paged[name] = value end
  local rows, i
  return function()
    while true do
      if rows then
        i = i + 1
        if rows[i] then return rows[i] end
        if not paged.pageState then return nil end
      end
      local result, err = execute(self, statement, parameters, paged)
      if not result then error(err, 2) end
      -- A page that says it is followed by itself would be read for ever.
      if result.pageState and result.pageState == paged.pageState then
        error(core.error("PROTOCOL_ERROR", result.info.host .. " gave the same pageState twice"), 2)
      end
      rows, i, paged.pageState = result.rows, 0, result.pageState
    end
  end
end

Pool.connect = core.connect
Pool.initialize = core.connect
Pool.close = core.close
Pool.getStats = core.getStats
Pool.getMetrics = core.getMetrics
Pool.getConnectionDetails = core.getConnectionDetails
Pool.getHosts = core.getHosts
Pool.policies = core.policies
Pool.reload = core.reload
Pool.setHostWeight = core.setHostWeight
Pool.setHostTags = core.setHostTags
Pool.explain = core.explain

-- ---- events ---------------------------------------------------------------------------------------------------
-- The handlers stand in the pool's environment: { handlers = { hostUp = { fn, ... } }, handlerErrors = n }

local function handle(state, name, fn, ...)
  local ok, message = xpcall(fn, async.withTraceback, ...)
  if ok then return end
  state.handlerErrors = state.handlerErrors + 1
  core.log("error", "a handler of '" .. name .. "' failed: " .. tostring(message))
end

local function hand_out(state, name, ...)
  if not name then return end
  for _, fn in ipairs(state.handlers[name] or {}) do core.start(handle, state, name, fn, ...) end
end

-- One coroutine per pool, from the first handler to the pool's end.
local function dispatch(self, state)
  core.serve()
  local function step(name, ...)
    hand_out(state, name, ...)
    return name ~= false
  end
  while step(core.nextEvent(self)) do end -- luacheck: ignore 542
end

local function state_of(self)
  local state = debug.getfenv(self)
  if not state.handlers then
    state.handlers, state.handlerErrors = {}, 0
    core.start(dispatch, self, state)
  end
  return state
end

-- pool:on(event, fn): fn(...) runs in a coroutine of its own each time it happens. Returns the pool.
function Pool.on(self, event, fn)
  if type(fn) ~= "function" then
    error("bad argument #2 to 'on' (handler: a function expected, got " .. type(fn) .. ")", 2)
  end
  core.wantEvent(self, event)
  local handlers = state_of(self).handlers
  local list = { unpack(handlers[event] or {}) } -- a new list: one that is being walked stays as it is
  list[#list + 1] = fn
  handlers[event] = list
  return self
end

-- pool:off(event, fn): undoes pool:on with the same function.
function Pool.off(self, event, fn)
  core.wantEvent(self, event)
  local handlers = state_of(self).handlers
  local list = {}
  for _, other in ipairs(handlers[event] or {}) do
    if other ~= fn then list[#list + 1] = other end
  end
  handlers[event] = list
  return self
end

-- How many handlers have raised an error so far.
function Pool.getHandlerErrors(self)
  return debug.getfenv(self).handlerErrors or 0
end

-- ---- constructors ---------------------------------------------------------------------------------------------

-- From a table, the path of a Lua file that returns one, or what `moonpool run --config` named (pool.default). Raises
-- what is wrong with it, with its place; `level` is the caller's. pool.default_port is that of an embedded cluster.
function pool.new(input, level)
  if input == nil then input = pool.default end
  if input == nil then
    error("a configuration expected: a table, or the path of a Lua file that returns one", level + 1)
  end
  local caller = debug.getinfo(level + 1, "Sl")
  local where = caller and caller.currentline > 0 and caller.short_src .. ":" .. caller.currentline or nil
  local checked, warnings = config.check(input, where)
  if not checked then error(warnings, 0) end
  checked.port = checked.port or pool.default_port
  for _, warning in ipairs(warnings or {}) do core.log("warn", tostring(warning)) end
  local self, message = core.newPool(checked)
  if not self then error(message, 0) end
  return self
end

return pool
