-- SPDX-License-Identifier: Apache-2.0
-- moonpool in nginx and OpenResty. Each worker has pools of its own, made once in init_worker_by_lua*:
--
--   local moonpool = require "resty.moonpool"
--   moonpool.init_worker { contactPoints = { "10.0.0.1" }, localDataCenter = "datacenter1" }   -- or the path of a file
--   moonpool.init_worker { users = "users.lua", events = { contactPoints = ... } }             -- several, by name
--
-- and used wherever nginx can wait (rewrite, access and content phases, timers, light threads, subrequests):
--
--   local pool, err = moonpool.pool()            or  moonpool.pool "users"
--   local result, err = pool:execute("SELECT name FROM app.users WHERE id = ?", { id })
--
-- An error that is raised and not caught is "unknown reason" in nginx's log, which reads texts only: tostring(err).
--
-- Everything else of `require "moonpool"` is here, too: null, uuid, sleep, spawn, all, ...
local moonpool = require "moonpool"
local async = require "moonpool.async"
local core = require "moonpool.core_loader"
local exporter = require "moonpool.exporter"
local listeners = require "moonpool.listeners"
local pool_module = require "moonpool.pool"
local page = require "moonpool.page"
local reload = require "moonpool.reload"
local schema = require "moonpool.config.schema"
local workers = require "resty.moonpool.workers"

if not core.counts then error("resty.moonpool works inside of nginx: outside of it, require \"moonpool\"", 2) end

local RETRY_MS = 1000 -- between attempts at a cluster that cannot be reached yet
local WARM_MS = 5     -- between looks at what a pool learns from other workers

local resty = setmetatable({}, { __index = moonpool })

-- name = { name =, pool =, connected = it is given to whoever asks, failed = the error of the last attempt, which holds
-- until failed_until, warming =, warm =, closer = who closed it }
local pools = {}
local default = "default"
local failure -- why the last init_worker made nothing

local check_pool, new_pool = pool_module.check, pool_module.new

local is_key = {} -- of a configuration
for _, key in ipairs(schema.keys) do is_key[key[1]] = true end

-- A table is one configuration when any of its keys is one of a configuration's.
local function by_name(given)
  local named = type(given) == "table" and next(given) ~= nil
  for key in pairs(named and given or {}) do named = named and type(key) == "string" and not is_key[key] end
  return named and given or { [default] = given }
end

-- Every configuration of this worker, at the start and at a reload.
local complete = reload.complete
function reload.complete(checked)
  complete(checked)
  workers.divide(checked)
end

-- Connected, it learns what other workers know, for a bounded time, before it is anybody's. In a coroutine of its own:
-- a request's may end at any moment.
local function warm(entry)
  core.serve()
  local ok, why = pcall(workers.warm, entry.name, entry.pool)
  if not ok then core.log("warn", "what other workers know was not learned: " .. core.errorText(why), entry.pool) end
  entry.warm = true
end

local function is_closed(entry) return core.identity(entry.pool) == false end

local function closed(entry)
  return core.error("CLOSED", ("the pool '%s' of this worker was closed%s, for all requests: they leave it open, " ..
    "or moonpool.init_worker makes it anew"):format(entry.name, entry.closer and " at " .. entry.closer or ""))
end

-- True when it is somebody's; nil and an error without memory to wait with, or when it was closed meanwhile.
local function make_ready(entry)
  if not entry.warming then
    local ok, err = async.try(core.start, warm, entry)
    if not ok then return nil, err end
    entry.warming = true
  end
  while not entry.warm do
    local ok, err = async.try(core.sleep, WARM_MS)
    if not ok then return nil, err end
  end
  entry.connected = not is_closed(entry)
  if not entry.connected then return nil, closed(entry) end
  return true
end

-- One attempt, or the one that goes on. Behind one that failed nobody begins another for a while, but is told why: each
-- request of a busy worker would.
local function try_to_connect(entry)
  if entry.failed and core.now() < entry.failed_until then return nil, entry.failed end
  local ok, err = entry.pool:connect()
  entry.failed, entry.failed_until = err, core.now() + RETRY_MS
  return ok, err
end

-- Until it is connected, or closed. Whoever asks for the pool meanwhile waits for the same attempt.
local function connect(entry)
  core.serve()
  while not entry.connected do
    local ok, err = try_to_connect(entry)
    if not ok and err.code == "CLOSED" then return end
    if not ok or not make_ready(entry) then core.sleep(RETRY_MS) end
  end
end

-- The pool of all requests may be closed by one of them: who did that is remembered, for those that ask for it later.
local close = core.close
function core.close(pool)
  for _, entry in pairs(pools) do
    if entry.pool == pool then
      local caller = debug.getinfo(3, "Sl")
      entry.connected, entry.closer = false, caller and caller.short_src .. ":" .. caller.currentline
    end
  end
  local ok, err = close(pool)
  return ok, err
end

-- An address can be listened at by one worker only, and nginx listens already.
function exporter.begin(_, place)
  core.log("warn", ("metrics.listen: nothing listens at %s for this worker: serve moonpool.metrics() at a location " ..
    "of nginx's"):format(listeners.name(place)))
  return true
end

function page.begin(_, place)
  core.log("warn", ("http.listen: nothing listens at %s for this worker: the status page is moonpool serve's"):format(
    listeners.name(place)))
  return true
end

-- Raises, for the caller at `level`, why this Lua state can have no pool at all.
local function check_place(level)
  local ok, why = pcall(core.now)
  if not ok then error(why, level + 1) end
end

local function check_options(options, level)
  if type(options) ~= "table" then
    error("bad argument #2 to 'init_worker' (options: a table expected, got " .. type(options) .. ")", level + 1)
  end
  for key in pairs(options) do
    if key ~= "shared" then
      error("init_worker: unknown option '" .. tostring(key) .. "'; there is: shared", level + 1)
    end
  end
  local name = options.shared
  if name ~= nil and type(name) ~= "string" then
    error("init_worker: option 'shared': the name of a shared dictionary expected, got " .. type(name), level + 1)
  end
  if name and not ngx.shared[name] then
    error(("init_worker: there is no shared dictionary '%s': nginx.conf wants lua_shared_dict %s 1m;"):format(name,
      name), level + 1)
  end
end

-- What init_worker is given is right as far as it can be told at once: the configurations by name. `level`: its
-- caller's.
local function check_given(configuration, options, level)
  if options ~= nil then check_options(options, level + 1) end
  if ngx.get_phase() == "init" then
    error("init_worker: a pool belongs to one worker: call it in init_worker_by_lua*, not in init_by_lua*", level + 1)
  end
  check_place(level + 1)
  if configuration == nil then
    error("init_worker: a configuration expected: a table, the path of a Lua file, or a table of these by name",
      level + 1)
  end
  local given = by_name(configuration)
  for name in pairs(given) do
    if pools[name] and not is_closed(pools[name]) then
      error("init_worker: there is a pool '" .. name .. "' already in this worker", level + 1)
    end
  end
  return given
end

-- None of those that were made is there.
local function give_up(made)
  for name, entry in pairs(made) do
    if pools[name] == entry then pools[name] = nil end
    core.discard(entry.pool)
  end
end

-- What is wrong with one of several.
local function named(name, why)
  return name ~= default and type(why) == "string" and ("pool '%s': %s"):format(name, why) or why
end

-- The pools of a worker, none of which is anybody's yet; or nil and an error. Raises what is wrong with a
-- configuration, with the place of the caller at `level` and the pool's name.
local function make(given, level)
  local made = {}
  for name, one in pairs(given) do
    local ran, pool, err = pcall(new_pool, one, level + 2)
    if not ran or not pool then
      give_up(made)
      if ran then return nil, err end
      error(named(name, pool), 0)
    end
    made[name] = { name = name, pool = pool, connected = false }
  end
  return made
end

-- Raises what is wrong with a configuration, or with one of several, as far as it can be told without a pool: in
-- init_by_lua*, so that nginx does not start with it, nor takes it at a reload (HUP), when the old workers go on.
function resty.check(configuration)
  if configuration == nil then
    error("check: a configuration expected: a table, the path of a Lua file, or a table of these by name", 2)
  end
  for name, one in pairs(by_name(configuration)) do
    local ok, why = pcall(check_pool, one, 3)
    if not ok then error(named(name, why), 0) end
  end
  return true
end

local function begin(configuration, options)
  local given = check_given(configuration, options, 4)
  local made, err = make(given, 4)
  if not made then return nil, err end
  local own, ok = {}, nil
  for name, entry in pairs(made) do
    pools[name], own[name] = entry, entry.pool
    ok, err = async.try(core.start, connect, entry)
    if not ok then break end
  end
  if ok then ok, err = async.try(workers.begin, own, options and options.shared) end
  if ok then return true end
  give_up(made)
  return nil, err
end

-- Makes the pools of this worker and begins to connect them; returns at once: true, or nil and an error when this
-- machine has nothing left. Raises what is wrong with a configuration. options.shared: the name of a dictionary
-- (lua_shared_dict) through which the workers tell each other what they count and know.
function resty.init_worker(configuration, options)
  local ran, ok, err = pcall(begin, configuration, options)
  failure = (not ran or not ok) and core.errorText(ran and err or ok) or nil
  if not ran then error(ok, 0) end
  return ok, err
end

local function unknown(name)
  local names = {}
  for known in pairs(pools) do names[#names + 1] = known end
  if #names == 0 then check_place(3) end
  table.sort(names)
  local there = #names == 0 and "there is no pool in this worker" or
    ("there is no pool '%s': there are %s"):format(tostring(name), table.concat(names, ", "))
  if failure then there = there .. ": init_worker failed: " .. failure end
  if #names == 0 and not failure then
    there = there .. ": make it in init_worker_by_lua* with moonpool.init_worker(configuration)"
  end
  error(there, 3)
end

-- The one that is there, when there is only one.
local function only()
  local name, entry = next(pools)
  return name and next(pools, name) == nil and entry or nil
end

-- pool(name): the connected pool; nil and an error when the cluster cannot be reached, or when it was closed. The only
-- one needs no name.
function resty.pool(name)
  local entry = pools[name or default] or name == nil and only()
  if not entry then unknown(name or default) end
  if entry.connected then return entry.pool end
  local ok, err = try_to_connect(entry)
  if ok then ok, err = make_ready(entry) end
  if ok then return entry.pool end
  return nil, is_closed(entry) and closed(entry) or err
end

-- metrics(): what pools have counted, as OpenMetrics text, and its type (docs/metrics.md): those of this worker,
-- or, with a shared dictionary, of all of them, with the label `worker`.
function resty.metrics(...)
  if ... ~= nil then async.no_arguments("metrics", ...) end
  if next(pools) == nil then check_place(2) end
  local text, kind = workers.metrics()
  return text, kind
end

-- What this worker does just now, in numbers (docs/nginx.md).
function resty.counts(...)
  if ... ~= nil then async.no_arguments("counts", ...) end
  return core.counts()
end

return resty
